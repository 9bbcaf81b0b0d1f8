import { coreSchema, type Database } from '@wherry/core/control';
import { createControlDatabase, type ControlDatabase } from '@wherry/core/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, onTestFinished, test, vi } from 'vitest';
import { tokensSchema } from './index.ts';
import {
  SHORT_LEASE_MS,
  holdUp,
  issueFrom,
  judged,
  startKeyProcess,
  type KeyProcess,
  type KeyProcessOptions,
} from './testing/key-process.ts';

let home: ControlDatabase;
let database: Database;
beforeAll(async () => {
  home = await createControlDatabase(inject('postgresUrl'), [coreSchema, tokensSchema]);
  ({ database } = home);
});
afterAll(() => home[Symbol.asyncDispose]());
beforeEach(async () => {
  await database.query('TRUNCATE signing_key, key_policy, instance, feed_topic, audit');
});

const command = { actor: 'tester', reason: 'a test' };
const until = (check: () => unknown): Promise<unknown> => vi.waitFor(check, { interval: 10 });

async function states(): Promise<Record<string, string>> {
  const { rows } = await database.query<{ kid: string; state: string }>('SELECT kid, state FROM signing_key');
  return Object.fromEntries(rows.map(({ kid, state }) => [kid, state]));
}

/** Starts a process that ends with the test. */
async function start(options: KeyProcessOptions = {}): Promise<KeyProcess> {
  const process = await startKeyProcess(home.url, options);
  onTestFinished(() => process[Symbol.asyncDispose]());
  return process;
}

describe('keys of processes (T6)', () => {
  test('each signs with its own, every process verifies all, and no private part is stored', async () => {
    const gateway = await start();
    const one = await start({ mode: 'process' });
    const other = await start({ mode: 'process', alg: 'EdDSA' });
    expect(one.ring.signingKey().kid).not.toBe(other.ring.signingKey().kid);
    // The second key was active only after all of them had it; the first was so at once.
    expect(judged(issueFrom(other), one, other, gateway)).toEqual(['accepted', 'accepted', 'accepted']);
    await until(() => expect(judged(issueFrom(one), one, other, gateway)).toEqual(['accepted', 'accepted', 'accepted']));
    const { rows } = await database.query('SELECT 1 FROM signing_key WHERE sealed_private IS NOT NULL');
    expect(rows).toEqual([]);
  });

  test('the key of a process that dies retires with its lease, and its tokens live on', async () => {
    const gateway = await start();
    const one = await start({ mode: 'process' });
    const dying = await start({ mode: 'process', leaseMs: SHORT_LEASE_MS });
    const { kid } = dying.ring.signingKey();
    const token = issueFrom(dying);
    await dying.kill();
    await until(async () => expect((await states())[kid]).toBe('retiring'));
    expect(judged(token, gateway, one)).toEqual(['accepted', 'accepted']);
    // A verifier that starts only now takes it in too.
    const late = await start();
    expect(judged(token, late)).toEqual(['accepted']);
  });

  test('a process that ends in order retires its key itself', async () => {
    const one = await start({ mode: 'process' });
    const { kid } = one.ring.signingKey();
    await one[Symbol.asyncDispose]();
    expect(await states()).toEqual({ [kid]: 'retiring' });
  });

  test('a lost lease costs no key that signs: the process goes on under its new registration', async () => {
    const gateway = await start();
    const one = await start({ mode: 'process' });
    const token = issueFrom(one);
    const former = one.instance.id;
    await database.query('UPDATE instance SET lease_until = 0 WHERE id = $1', [former]);
    await until(() => expect(one.instance.id).not.toBe(former));
    await until(async () => {
      const keys = await one.store.list();
      expect(keys.filter(({ ownerInstance, state }) => ownerInstance === one.instance.id && state === 'active')).toHaveLength(1);
    });
    await until(() => expect(judged(issueFrom(one), gateway)).toEqual(['accepted']));
    expect(judged(token, gateway)).toEqual(['accepted']);
  });

  test('a process whose key was removed makes another', async () => {
    const gateway = await start();
    const one = await start({ mode: 'process' });
    const { kid } = one.ring.signingKey();
    const token = issueFrom(one);
    await one.store.remove(kid, command);
    await until(() => expect(one.ring.signingKey().kid).not.toBe(kid));
    expect(judged(issueFrom(one), gateway)).toEqual(['accepted']);
    expect(judged(token, gateway, one)).not.toContain('accepted');
  });

  test('beside shared keys a process signs with its own as soon as it may, and before that with the shared one', async () => {
    const slow = holdUp();
    const shared = await start({ mode: 'shared' });
    const gateway = await start({ wrap: slow.wrap });
    slow.hold();
    const own = await start({ mode: 'process' });
    expect(own.ring.signingKey().kid).toBe(shared.ring.signingKey().kid);
    slow.release();
    await until(() => expect(own.ring.signingKey().kid).not.toBe(shared.ring.signingKey().kid));
    expect(judged(issueFrom(own), gateway, shared)).toEqual(['accepted', 'accepted']);
  });
});
