import { randomBytes } from 'node:crypto';
import { Sealer } from '@wherry/core';
import type { Database } from '@wherry/core/control';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { sourceRetiredSince, type CarriedSessions, type SessionRuntime, type SourceStore } from '@wherry/sessions';
import { createRedisSource, redisLastUse } from '@wherry/sessions/redis';
import { createClient } from 'redis';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { askVerification, changeMigration, readMigration } from '../journal/state.ts';
import { Workbench, type RunningMigrator } from '../testing/workbench.ts';
import { archiveSource, openArchive, type ArchivedSession } from './archive.ts';
import { retireSource, reviveSource, sourceLetGo } from './retire.ts';

const HOUR = 3_600_000;
const client = createClient({ url: inject('redisUrl') });
beforeAll(() => client.connect());
afterAll(() => client.destroy());

const session = (id: number, ...roles: string[]): string =>
  JSON.stringify({ cookie: { originalMaxAge: HOUR, path: '/' }, user: { id, name: `user${id}`, roles } });
const act = { actor: 'ada', reason: 'the old store is switched off' };
const never = new AbortController().signal;

/** One migration for all of it, in this order. */
describe('a source that is retired', () => {
  const prefix = `retire-${randomBytes(4).toString('hex')}:`;
  let bench: Workbench;
  let source: SourceStore;
  let running: RunningMigrator;
  let control: Database;
  beforeAll(async () => {
    for (let n = 0; n < 6; n++) await client.set(`${prefix}s${n}`, session(n, 'user'), { expiration: { type: 'EX', value: 3600 } });
    bench = await Workbench.create(inject('postgresUrl'));
    source = createRedisSource({ client, prefix, timeoutMs: PATIENT_MS });
    running = await bench.migrator(source);
    ({ control } = running.context);
  });
  afterAll(() => bench.close());
  const carriedBy = async (by = source): Promise<{ readonly carried: CarriedSessions; readonly runtime: SessionRuntime }> => {
    const { runtime } = await bench.process('writer');
    return { carried: bench.carried(runtime, by), runtime };
  };

  it('is needed until everything has settled at the target', async () => {
    await changeMigration(control, { goalPercent: 1 }, { actor: 'test' });
    await running.migrator.atGoal();
    await expect(retireSource(control, act)).rejects.toMatchObject({ code: 'migration_step_invalid' });
    await changeMigration(control, { goalPercent: 100 }, { actor: 'test' });
    await running.migrator.atGoal();
    await control.query(
      `INSERT INTO repair_entry (slot, id, source_ref, cause, next_try_at) VALUES (1, 1, '', 'source_write', wherry_now() + 3600000)`,
    );
    await expect(retireSource(control, act)).rejects.toMatchObject({ message: expect.stringContaining('1 second writes') as string });
    await control.query('DELETE FROM repair_entry');
    expect(await sourceRetiredSince(control)).toBeUndefined();
  });

  it('counts as let go only when the last call to it has come back', async () => {
    const held = Promise.withResolvers<void>();
    const reached = Promise.withResolvers<void>();
    const slow: SourceStore = Object.create(source) as SourceStore;
    slow.put = async (...args) => {
      reached.resolve();
      await held.promise;
      return source.put(...args);
    };
    const { carried } = await carriedBy(slow);
    const saving = carried.save('s1', session(1, 'user', 'editor'), HOUR);
    await reached.promise;
    const seq = await retireSource(control, act);
    await expect(sourceLetGo(control, seq, 1500, never)).rejects.toMatchObject({ code: 'conflict' });
    held.resolve();
    expect(await saving).toBe('saved');
    await sourceLetGo(control, seq, PATIENT_MS, never);
    expect(JSON.parse((await client.get(`${prefix}s1`)) ?? '')).toMatchObject({ user: { roles: ['user', 'editor'] } });
  });

  it('is neither read nor written any more, and nobody is signed out', async () => {
    const { carried, runtime } = await carriedBy();
    const before = await client.get(`${prefix}s1`);
    const life = await client.pTTL(`${prefix}s2`);
    expect(await carried.read('s0')).toMatchObject({ state: 'live', userId: '0' });
    expect(await carried.save('s1', session(1, 'admin'), HOUR)).toBe('saved');
    expect(await carried.read('s1')).toMatchObject({ state: 'live', authorities: ['admin'] });
    expect(await carried.save('new', session(7, 'user'), HOUR)).toBe('saved');
    expect(await carried.read('new')).toMatchObject({ state: 'live', userId: '7' });
    expect(await carried.touch('s2', 2 * HOUR)).toBe('touched');
    await carried.end('s3', 'logout');
    expect(await carried.read('s3')).toEqual({ state: 'ended' });
    expect(await carried.save('s3', session(3, 'user'), HOUR)).toBe('ended');
    await runtime.drain();
    expect(await client.get(`${prefix}s1`)).toBe(before);
    expect(await client.pTTL(`${prefix}s2`)).toBeLessThanOrEqual(life);
    expect(await client.exists([`${prefix}s3`, `${prefix}new`])).toBe(1);
    expect(await running.context.repairs.count()).toBe(0);
    expect((await control.query(`SELECT FROM revocation WHERE kind = 'session' AND NOT drained`)).rowCount).toBe(0);

    await expect(changeMigration(control, { goal: 'source' }, act)).rejects.toMatchObject({ code: 'source_retired' });
    await expect(askVerification(control, act)).rejects.toMatchObject({ code: 'source_retired' });
    expect((await readMigration(control)).goal).toBe('target');
  });

  it('shows who uses it all the same', async () => {
    const look = (ms: number): ReturnType<typeof redisLastUse> => redisLastUse({ url: inject('redisUrl'), prefix }, ms, never);
    expect(await look(HOUR)).toEqual({ looked: 6, used: 6 });
    await expect.poll(() => look(2000), { timeout: PATIENT_MS, interval: 200 }).toEqual({ looked: 6, used: 0 });
    await client.get(`${prefix}s4`);
    expect((await look(PATIENT_MS))?.used).toBeGreaterThanOrEqual(1);
  });

  it('is brought up to date when it is taken into use again, and then there is a way back', async () => {
    const { carried } = await carriedBy();
    await sourceLetGo(control, await reviveSource(control, act), PATIENT_MS, never);
    await changeMigration(control, { goal: 'source', goalPercent: 1 }, { actor: 'test' });
    await running.migrator.atGoal();
    expect(JSON.parse((await client.get(`${prefix}s1`)) ?? '')).toMatchObject({ user: { roles: ['admin'] } });
    expect(await client.exists(`${prefix}new`)).toBe(1);
    expect(await client.exists(`${prefix}s3`)).toBe(0);
    expect(await carried.read('s3')).toEqual({ state: 'ended' });
  });
});

describe('an archive', () => {
  const sealer = new Sealer(randomBytes(32), 'source-archive');
  async function archive(): Promise<{ readonly text: string; readonly prefix: string }> {
    const prefix = `archive-${randomBytes(4).toString('hex')}:`;
    for (let n = 0; n < 4; n++) await client.set(`${prefix}secret${n}`, session(n, 'user'), { expiration: { type: 'EX', value: 3600 } });
    const parts: Buffer[] = [];
    const source = createRedisSource({ client, prefix, timeoutMs: PATIENT_MS });
    const { sessions } = await archiveSource({ source, sealer, write: async (part) => void parts.push(part), signal: never });
    expect(sessions).toBe(4);
    return { text: Buffer.concat(parts).toString(), prefix };
  }
  const linesOf = async function* (text: string): AsyncGenerator<string> {
    yield* text.split('\n').slice(0, -1);
  };
  const opened = async (text: string, by = sealer): Promise<ArchivedSession[]> => {
    const found: ArchivedSession[] = [];
    await openArchive(linesOf(text), by, (page) => found.push(...page));
    return found;
  };

  it('holds what was left, sealed', async () => {
    const { text } = await archive();
    expect(text).not.toContain('secret');
    expect(text).not.toContain('user1');
    const found = await opened(text);
    expect(found.map(({ rawId }) => rawId).toSorted()).toEqual(['secret0', 'secret1', 'secret2', 'secret3']);
    expect(found.find(({ rawId }) => rawId === 'secret2')).toMatchObject({ value: session(2, 'user'), version: [0, 0] });
  });

  it('does not open with another key, cut short, with a line taken out, exchanged, repeated or added', async () => {
    const { text } = await archive();
    const lines = text.split('\n').slice(0, -1);
    const [head = '', first = '', ...rest] = lines;
    const joined = (...each: string[]): string => `${each.join('\n')}\n`;
    const broken = [
      joined(...lines.slice(0, -1)),
      joined(head, ...rest),
      joined(head, first, ...rest.slice(1)),
      joined(head, first, first, ...rest),
      joined(...lines, lines.at(-1) ?? ''),
      joined(head.replace('1', '2'), first, ...rest),
      joined(head, first, ...rest.map((line) => `${line.slice(0, 40)}${line[40] === 'A' ? 'B' : 'A'}${line.slice(41)}`)),
      '',
    ];
    for (const each of broken) await expect(opened(each)).rejects.toMatchObject({ code: 'sealed_data_invalid' });
    await expect(opened(text, new Sealer(randomBytes(32), 'source-archive'))).rejects.toMatchObject({ code: 'sealed_data_invalid' });
  });
});
