import { abortClosing, beginClosing, closeOnShard, commitSide, openOnShard } from '@wherry/shards';
import type { PostgresServer } from '@wherry/embedded';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { SqlSessions } from '../sql-sessions.ts';
import type { SessionTouch } from '../stored-session.ts';
import { newRecord, startSessionCluster, type SessionCluster } from './cluster.ts';

/** A server that a test stops and brings back. */
type Server = Pick<PostgresServer, 'pause' | 'start' | 'stop'> & { readonly address: string };

/** What holds of touches that are written behind, on every dialect; `startServer` starts another one of it. Control is the PostgreSQL of the project; the shards are on `shardServerUrl`. */
export function touchBufferSuite(shardServerUrl: () => string, startServer: () => Promise<Server>): void {
  let cluster: SessionCluster;
  let sessions: SqlSessions;
  beforeAll(async () => {
    cluster = await startSessionCluster(inject('postgresUrl'), { shardServerUrl: shardServerUrl() });
    // Never by time or number, so that each test says itself when touches are written.
    sessions = new SqlSessions({
      shards: cluster.shards,
      map: cluster.map,
      touchEveryMs: 3_600_000,
      touchThreshold: 1_000_000,
      deadlineMs: PATIENT_MS,
    });
  });
  afterAll(async () => {
    await sessions.stop();
    await cluster[Symbol.asyncDispose]();
  });

  const at = (time: number): SessionTouch => ({ lastAccessTime: time, expireTime: time + 60_000, touchVersion: time });
  const statements = (): number => cluster.shards.all.reduce((sum, { counts }) => sum + counts.statements, 0);

  async function touched(record: { readonly key: Parameters<SqlSessions['get']>[0] }): Promise<number | undefined> {
    const read = await sessions.get(record.key);
    return read.state === 'live' ? read.record.touchVersion : undefined;
  }

  test('many touches of a session are one write, and the newest counts', async () => {
    const records = Array.from({ length: 50 }, () => newRecord());
    await Promise.all(records.map(async (record) => sessions.create(record)));
    const before = statements();
    for (const time of [2000, 5000, 3000]) for (const { key } of records) sessions.touch(key, at(time));
    expect(statements()).toBe(before);
    await sessions.flush();
    expect(statements() - before).toBe(2);
    expect(await Promise.all(records.map(touched))).toEqual(records.map(() => 5000));
  });

  test('touches are written after their time, and early when there are many', async () => {
    const { shards, map } = cluster;
    await using timed = Object.assign(
      new SqlSessions({ shards, map, touchEveryMs: 10, touchThreshold: 1_000_000, deadlineMs: PATIENT_MS }),
      disposer,
    );
    await using many = Object.assign(
      new SqlSessions({ shards, map, touchEveryMs: 3_600_000, touchThreshold: 2, deadlineMs: PATIENT_MS }),
      disposer,
    );
    const [first, second, third] = [newRecord(), newRecord(), newRecord()];
    await Promise.all([first, second, third].map(async (record) => sessions.create(record)));
    timed.touch(first.key, at(2000));
    many.touch(second.key, at(2000));
    many.touch(third.key, at(2000));
    for (const record of [first, second, third]) while ((await touched(record)) !== 2000);
  });

  const disposer = {
    async [Symbol.asyncDispose](this: SqlSessions): Promise<void> {
      await this.stop();
    },
  };

  test('a closing is acknowledged when the touches that its slots are owed are written', async () => {
    const { control, map, shards } = cluster;
    const [record, elsewhere] = [newRecord(), newRecord()];
    await Promise.all([sessions.create(record), sessions.create(elsewhere)]);
    sessions.touch(record.key, at(2000));
    sessions.touch(elsewhere.key, at(2000));
    const { slot } = record.key;
    const { epoch, shard } = map.entry(slot);
    const closing = await beginClosing(control, [slot], [epoch], 3_600_000);
    await map.refresh();
    await map.acting(closing.seq);
    expect([await touched(record), await touched(elsewhere)]).toEqual([2000, 1000]);
    // One that comes while the slot is closing waits, and is written when it opens on its new side.
    sessions.touch(record.key, at(3000));
    const flushed = sessions.flush();
    const { database } = shards.shard(shard);
    await closeOnShard(database, [slot], [epoch], closing.seq);
    const committed = await commitSide(control, closing, { side: 'target' });
    await openOnShard(database, [slot], [epoch + 1], 'target', committed);
    await map.refresh();
    await flushed;
    expect([await touched(record), await touched(elsewhere)]).toEqual([3000, 2000]);
  });

  test('the touches of some slots are written by themselves', async () => {
    const [record, other] = [newRecord(), newRecord()];
    await Promise.all([sessions.create(record), sessions.create(other)]);
    sessions.touch(record.key, at(2000));
    sessions.touch(other.key, at(2000));
    await sessions.flushSlots([record.key.slot]);
    expect([await touched(record), await touched(other)]).toEqual([2000, 1000]);
    await sessions.flush();
  });

  test('a touch whose slot stays closing is kept for later', async () => {
    const { control, map, shards } = cluster;
    const impatient = new SqlSessions({ shards, map, touchEveryMs: 3_600_000, deadlineMs: 30 });
    const record = newRecord();
    await impatient.create(record);
    const { slot } = record.key;
    const closing = await beginClosing(control, [slot], [map.epochOf(slot)], 3_600_000);
    await map.refresh();
    impatient.touch(record.key, at(2000));
    await impatient.flush();
    expect(await touched(record)).toBe(1000);
    await abortClosing(control, closing);
    await map.refresh();
    await impatient.flush();
    expect(await touched(record)).toBe(2000);
    await impatient.stop();
  });

  test('a shard that is away keeps neither the other shard nor a closing waiting, and gets its touches when it is back', async () => {
    const server = await startServer();
    try {
      await using split = await startSessionCluster(inject('postgresUrl'), {
        shardServerUrl: shardServerUrl(),
        secondServerUrl: server.address,
        shard: { breaker: { openMs: 10 } },
        touchEveryMs: 20,
      });
      const records = Array.from({ length: 40 }, () => newRecord());
      await Promise.all(records.map(async (record) => split.sessions.create(record)));
      const away = records.filter(({ key }) => split.map.shardOf(key.slot) === 1);
      const here = records.filter(({ key }) => split.map.shardOf(key.slot) === 0);
      await server.pause();
      for (const { key } of records) split.sessions.touch(key, at(2000));
      const versions = async (of: typeof records): Promise<unknown[]> =>
        Promise.all(
          of.map(async ({ key }) =>
            split.sessions.get(key).then((read) => (read.state === 'live' ? read.record.touchVersion : read.state)),
          ),
        );
      while ((await versions(here)).some((version) => version !== 2000));
      await expect(split.sessions.getMany(away.map(({ key }) => key))).rejects.toMatchObject({ code: 'shard_unavailable' });
      await split.map.acting(split.map.version);
      await server.start();
      const back = async (): Promise<boolean> =>
        versions(away).then(
          (all) => all.every((version) => version === 2000),
          () => false,
        );
      while (!(await back()));
    } finally {
      await server.stop();
    }
  });
}
