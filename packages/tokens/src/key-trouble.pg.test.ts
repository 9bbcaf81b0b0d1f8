import { spawn } from 'node:child_process';
import { isWherryError, systemClock, type Clock } from '@wherry/core';
import { coreSchema, type Database } from '@wherry/core/control';
import { createControlDatabase, type ControlDatabase } from '@wherry/core/testing';
import { PATIENT_MS, openWay } from '@wherry/embedded/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, onTestFinished, test, vi } from 'vitest';
import { tokensSchema } from './index.ts';
import { SHORT_LEASE_MS, issueFrom, judged, startKeyProcess, type KeyProcess, type KeyProcessOptions } from './testing/key-process.ts';

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
const until = (check: () => unknown): Promise<unknown> => vi.waitFor(check, { interval: 10, timeout: PATIENT_MS });
const HOUR_MS = 3_600_000;

async function start(options: KeyProcessOptions = {}, url: string = home.url): Promise<KeyProcess> {
  const process = await startKeyProcess(url, options);
  onTestFinished(() => process[Symbol.asyncDispose]());
  return process;
}
async function count(state: string): Promise<number> {
  const { rows } = await database.query<{ n: number }>('SELECT count(*)::int AS n FROM signing_key WHERE state = $1', [state]);
  return rows[0]?.n ?? 0;
}

describe('two issuers', () => {
  test('that rotate at once publish one key', async () => {
    const [one, other] = [await start({ mode: 'shared' }), await start({ mode: 'shared' })];
    for (let round = 0; round < 5; round++) {
      const { kid } = one.ring.signingKey();
      const tries = await Promise.allSettled([one, other, one, other].map(({ store }) => store.rotate('ES256', command)));
      const made = tries.filter(({ status }) => status === 'fulfilled').length;
      // Another may be let in when the first has taken over already: never two that wait.
      expect(made).toBeGreaterThanOrEqual(1);
      for (const tried of tries) if (tried.status === 'rejected') expect(isWherryError(tried.reason, 'conflict')).toBe(true);
      await until(async () => expect(await count('next')).toBe(0));
      await until(() => expect(one.ring.signingKey().kid).not.toBe(kid));
      await until(() => expect(other.ring.signingKey().kid).toBe(one.ring.signingKey().kid));
      expect(await count('active')).toBe(1);
    }
  });

  test('whose keepers rotate without rest never issue a token that anyone refuses', async () => {
    const gateway = await start();
    const options = { mode: 'shared', rotateAfterMs: 1 } as const;
    const issuers = [await start(options), await start(options)];
    await until(() => expect(gateway.ring.size).toBeGreaterThan(0));
    const tokens: string[] = [];
    const refused = new Set<string>();
    await until(async () => {
      for (const token of issuers.map(issueFrom)) {
        tokens.push(token);
        // At once: not one that is taken only after a while.
        for (const said of judged(token, gateway, ...issuers)) if (said !== 'accepted') refused.add(said);
      }
      expect(await count('retiring')).toBeGreaterThanOrEqual(6);
    });
    expect([...refused]).toEqual([]);
    expect(await count('active')).toBe(1);
    expect([...new Set(tokens.flatMap((token) => judged(token, gateway, ...issuers)))]).toEqual(['accepted']);
    expect(new Set(tokens.map((token) => token.split('.')[0])).size).toBeGreaterThan(2);
  });
});

describe('a clock that is set', () => {
  /** The wall clock of one process, an hour off at times; its monotonic clock goes on as such clocks do. */
  function steppingClock(): Clock & { offsetMs: number } {
    return {
      offsetMs: 0,
      now() {
        return systemClock.now() + this.offsetMs;
      },
      monotonic: () => systemClock.monotonic(),
    };
  }

  test.each([HOUR_MS, -HOUR_MS])('by %i ms moves no key, ends no lease, and stops no rotation', async (offsetMs) => {
    const clock = steppingClock();
    const auth = await start({ mode: 'shared', clock });
    const gateway = await start();
    const { kid } = auth.ring.signingKey();
    const lease = auth.instance.id;
    clock.offsetMs = offsetMs;
    await auth.store.maintain();
    expect(auth.ring.signingKey().kid).toBe(kid);
    await auth.store.rotate('ES256', command);
    await until(() => expect(auth.ring.signingKey().kid).not.toBe(kid));
    expect(auth.instance.id).toBe(lease);
    // What is kept how long is the database's to say: no hour more, no hour less.
    const [retired] = await auth.store.list();
    expect(retired).toMatchObject({ kid, state: 'retiring' });
    expect(Math.abs((retired?.keepUntil ?? 0) - Date.now() - 690_000)).toBeLessThan(HOUR_MS / 2);
    const token = issueFrom(auth);
    expect(judged(token, gateway)).toEqual(['accepted']);
    // The process whose clock is off refuses rather than believes.
    expect(judged(token, auth)).toEqual([offsetMs > 0 ? 'token_expired' : 'token_not_yet_valid']);
    clock.offsetMs = 0;
    expect(judged(token, auth)).toEqual(['accepted']);
  });

  test('ages no key of a process', async () => {
    const clock = steppingClock();
    const one = await start({ mode: 'process', clock, rotateAfterMs: HOUR_MS / 2 });
    const { kid } = one.ring.signingKey();
    clock.offsetMs = HOUR_MS;
    await one.store.maintain();
    await until(async () => expect(await count('active')).toBe(1));
    expect(one.ring.signingKey().kid).toBe(kid);
    expect(await one.store.list()).toHaveLength(1);
  });
});

describe('a control database that is away', () => {
  test('leaves what is known in force: tokens are issued and verified, and the rest goes on when it is back', async () => {
    const way = await openWay(home.url);
    onTestFinished(() => way[Symbol.asyncDispose]());
    const auth = await start({ mode: 'shared' }, way.url);
    const gateway = await start();
    const { kid } = auth.ring.signingKey();
    await until(() => expect(judged(issueFrom(auth), gateway)).toEqual(['accepted']));
    way.sever();
    await expect(auth.store.rotate('ES256', command)).rejects.toMatchObject({ code: 'control_unavailable' });
    const token = issueFrom(auth);
    expect(judged(token, gateway, auth)).toEqual(['accepted', 'accepted']);
    expect(auth.ring.signingKey().kid).toBe(kid);
    way.mend();
    await until(async () => expect(await auth.store.rotate('ES256', command)).toBeDefined());
    await until(() => expect(auth.ring.signingKey().kid).not.toBe(kid));
    expect(judged(token, gateway, auth)).toEqual(['accepted', 'accepted']);
    expect(judged(issueFrom(auth), gateway)).toEqual(['accepted']);
  });
});

test('the key of a process that is killed outright retires with its lease; its tokens hold, and it takes nothing with it', async () => {
  const gateway = await start();
  const one = await start({ mode: 'process' });
  const here = (file: string): string => JSON.stringify(new URL(file, import.meta.url).href);
  const script = `
    import { issueFrom, startKeyProcess } from ${here('./testing/key-process.ts')};
    const process_ = await startKeyProcess(process.env.CONTROL_URL, { mode: 'process', leaseMs: ${SHORT_LEASE_MS} });
    console.log(process_.ring.signingKey().kid + ' ' + issueFrom(process_));
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--conditions=source', '--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, CONTROL_URL: home.url },
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
  await until(() => expect(said).toMatch(/\n/));
  const [kid = '', token = ''] = said.trim().split(' ');
  child.kill('SIGKILL');
  await until(() => expect(judged(token, gateway, one)).toEqual(['accepted', 'accepted']));
  const stateOf = async (): Promise<string | undefined> => (await one.store.list()).find((key) => key.kid === kid)?.state;
  await until(async () => expect(await stateOf()).toBe('retiring'));
  const late = await start();
  expect(judged(token, gateway, one, late)).toEqual(['accepted', 'accepted', 'accepted']);
  // Its private part was nowhere but in it.
  const { rows } = await database.query('SELECT 1 FROM signing_key WHERE sealed_private IS NOT NULL');
  expect(rows).toEqual([]);
  expect(judged(issueFrom(one), gateway)).toEqual(['accepted']);
});

test('the own key of a process gets a successor by age, and both are verified', async () => {
  const gateway = await start();
  const one = await start({ mode: 'process', rotateAfterMs: 1000 });
  const first = one.ring.signingKey().kid;
  const token = issueFrom(one);
  await until(() => expect(one.ring.signingKey().kid).not.toBe(first));
  expect(judged(issueFrom(one), gateway, one)).toEqual(['accepted', 'accepted']);
  expect(judged(token, gateway, one)).toEqual(['accepted', 'accepted']);
  expect((await one.store.list()).find(({ kid }) => kid === first)?.state).toBe('retiring');
});

test('after a key was removed by force, the session is the way back', async () => {
  const gateway = await start();
  const [one, other] = [await start({ mode: 'shared' }), await start({ mode: 'shared' })];
  const token = issueFrom(one);
  await until(() => expect(judged(token, gateway, other)).toEqual(['accepted', 'accepted']));
  const stolen = one.ring.signingKey().kid;
  const { seq } = await other.store.remove(stolen, { actor: 'ada', reason: 'stolen' });
  expect(await gateway.instance.acknowledged('keys', seq, PATIENT_MS)).toBe(true);
  // Nobody believes it any more, not even those who remembered it.
  expect(judged(token, gateway, one, other)).not.toContain('accepted');
  // Whoever comes with his session gets another token, from any instance, with a key that all have.
  for (const issuer of [one, other]) {
    await until(() => expect(issuer.ring.signingKey().kid).not.toBe(stolen));
    expect(judged(issueFrom(issuer), gateway, one, other)).toEqual(['accepted', 'accepted', 'accepted']);
  }
  await until(() => expect(judged(token, gateway, one, other)).toEqual(Array(3).fill('token_key_unknown')));
});
