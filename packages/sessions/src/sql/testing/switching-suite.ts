import { PATIENT_MS } from '@wherry/embedded/testing';
import { SlotMap, abortClosing, beginClosing, closeOnShard, commitSide, openOnShard, readSlotMap } from '@wherry/shards';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { SqlSessions } from '../sql-sessions.ts';
import { newRecord, startSessionCluster, type SessionCluster } from './cluster.ts';

/** Of a closing that nobody ends before the closer: where its deadline passes, writers open the slots again. */
const CLOSING_MS = 3_600_000;

/** What holds of sessions whose slots keep changing, on every dialect. Control is the PostgreSQL of the project; the shards are on `shardServerUrl`. */
export function switchingSuite(shardServerUrl: () => string): void {
  let cluster: SessionCluster;
  beforeAll(async () => {
    cluster = await startSessionCluster(inject('postgresUrl'), { shardServerUrl: shardServerUrl(), shard: { poolSize: 6 } });
  });
  afterAll(async () => cluster[Symbol.asyncDispose]());

  test('while slots keep closing and opening, callers see no error and every acknowledged write is there', async () => {
    const { control, shards } = cluster;
    const records = Array.from({ length: 24 }, () => newRecord({ expireTime: null }));
    const slots = [...new Set(records.map(({ key }) => key.slot))].toSorted((a, b) => a - b);
    await Promise.all(records.map(async (record) => cluster.sessions.create(record)));
    // Versions acknowledged by `save`, which makes them in the row: none may be given out twice.
    const versions = new Map(records.map(({ key }) => [key.id, new Set(['1:1'])]));
    const endings = records.slice(0, 4);
    let touch = 5000;
    let running = true;

    const work = async (number: number): Promise<void> => {
      const map = new SlotMap({ control });
      await map.refresh();
      const sessions = new SqlSessions({ shards, map, touchEveryMs: 5, deadlineMs: PATIENT_MS });
      for (let turn = number; running; turn++) {
        const record = records[turn % records.length] ?? newRecord();
        switch (turn % 5) {
          case 0:
          case 1: {
            const passage = await map.enter(record.key.slot, { timeoutMs: PATIENT_MS });
            const { outcome, version } = await sessions.save(record, passage.epoch).finally(() => passage.leave());
            if (outcome === 'not_owned') await map.refresh();
            const known = versions.get(record.key.id);
            if (outcome !== 'applied') break;
            expect(known?.has(`${version.epoch}:${version.n}`)).toBe(false);
            known?.add(`${version.epoch}:${version.n}`);
            break;
          }
          case 2:
            sessions.touch(record.key, { lastAccessTime: ++touch, expireTime: null, touchVersion: touch });
            break;
          case 3:
            expect((await sessions.get(record.key)).state).not.toBe('absent');
            break;
          default:
            expect(await sessions.put({ ...record, version: { epoch: 0, n: 1 } })).toMatch(/older|applied|ended/);
        }
      }
      await sessions.stop();
    };

    const workers = Promise.all(Array.from({ length: 8 }, async (_, i) => work(i * 31)));
    const switching = async (): Promise<void> => {
      for (let round = 0; round < 12; round++) {
        const ending = endings[round];
        const entries = await readSlotMap(control, slots);
        const closing = await beginClosing(
          control,
          slots,
          entries.map(({ epoch }) => epoch),
          CLOSING_MS,
        );
        const close = entries.map(async ({ slot, epoch, shard }) =>
          closeOnShard(shards.shard(shard).database, [slot], [epoch], closing.seq),
        );
        expect(await Promise.all(close)).toEqual(entries.map(() => 1));
        const image = async (): Promise<unknown[]> =>
          Promise.all(shards.all.map(async ({ database }) => (await database.query('SELECT * FROM user_session ORDER BY slot, id')).rows));
        const before = await image();
        expect(await image()).toEqual(before);
        const aborted = round % 3 === 2;
        const seq = aborted
          ? await abortClosing(control, closing)
          : await commitSide(control, closing, { side: round % 2 === 0 ? 'target' : 'source' });
        expect(await image()).toEqual(before);
        // Every other time nobody tells the shards: a writer has to.
        if (round % 2 === 0)
          for (const { slot, epoch, shard } of entries)
            await openOnShard(
              shards.shard(shard).database,
              [slot],
              [aborted ? epoch : epoch + 1],
              round % 2 === 0 ? 'target' : 'source',
              seq ?? 0n,
            );
        await cluster.map.refresh();
        if (ending !== undefined) await cluster.sessions.end(ending.key, 9000);
        await Promise.all(records.map(async ({ key }) => cluster.sessions.get(key)));
      }
    };
    await switching().finally(() => (running = false));
    await workers;

    for (const { key } of records) {
      const read = await cluster.sessions.get(key);
      const number = versions.get(key.id)?.size ?? 0;
      if (endings.some((ending) => ending.key.id === key.id))
        expect(read).toMatchObject({ state: 'ended', tombstone: { endedAt: 9000, version: { n: number } } });
      else expect(read).toMatchObject({ state: 'live', record: { version: { n: number } } });
    }
  });
}
