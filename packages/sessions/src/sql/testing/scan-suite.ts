import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { ScanCursor, ScanOptions } from '../scan.ts';
import type { StoredSession } from '../stored-session.ts';
import { newRecord, startSessionCluster, type SessionCluster } from './cluster.ts';

/** What holds of scans on every dialect. Control is the PostgreSQL of the project; the shards are on `shardServerUrl`. */
export function scanSuite(shardServerUrl: () => string): void {
  let cluster: SessionCluster;
  const records = Array.from({ length: 60 }, (_, i) => newRecord(i % 3 === 0 ? { sourceRef: null } : {}));
  const ended = newRecord();
  beforeAll(async () => {
    cluster = await startSessionCluster(inject('postgresUrl'), { shardServerUrl: shardServerUrl() });
    const all = [...records, ended];
    await cluster.sessions.putMany(
      all,
      all.map(({ key }) => cluster.map.epochOf(key.slot)),
    );
    await cluster.sessions.end(ended.key, 5000);
  });
  afterAll(async () => cluster[Symbol.asyncDispose]());

  async function scan(options: Omit<ScanOptions, 'after'>): Promise<StoredSession[]> {
    const found: StoredSession[] = [];
    for (let shard = 0; shard < 2; shard++) {
      let after: ScanCursor | null = null;
      do {
        const page = await cluster.sessions.scanShard(shard, { ...options, after });
        expect(page.sessions.length).toBeLessThanOrEqual(options.limit);
        found.push(...page.sessions);
        after = page.next;
      } while (after !== null);
    }
    return found;
  }

  const idsOf = (sessions: readonly StoredSession[]): bigint[] =>
    sessions.map((each) => (each.state === 'live' ? each.record : each.tombstone).key.id).toSorted(ascending);
  const ascending = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);

  test.each([1, 7, 1000])('pages of %i show every row once, tombstones too', async (limit) => {
    const found = await scan({ limit });
    expect(idsOf(found)).toEqual([...records, ended].map(({ key }) => key.id).toSorted(ascending));
    expect(found.filter(({ state }) => state === 'ended')).toMatchObject([
      { tombstone: { key: ended.key, endedAt: 5000, sourceRef: ended.sourceRef } },
    ]);
    const first = found.find((each) => each.state === 'live');
    expect(first?.state === 'live' && (await cluster.sessions.get(first.record.key))).toEqual(first);
  });

  test('only the slots asked for, and only what was carried over', async () => {
    const slots = records.slice(0, 20).map(({ key }) => key.slot);
    // Two records may share a slot.
    const some = [...records, ended].filter(({ key }) => slots.includes(key.slot));
    expect(idsOf(await scan({ limit: 3, slots }))).toEqual(some.map(({ key }) => key.id).toSorted(ascending));
    const carried = some.filter(({ sourceRef }) => sourceRef !== null);
    expect(idsOf(await scan({ limit: 3, slots, carriedOnly: true }))).toEqual(carried.map(({ key }) => key.id).toSorted(ascending));
  });

  test('rows are counted, live and ended', async () => {
    const counts = await cluster.sessions.counts();
    expect(counts.map(({ shard }) => shard)).toEqual(['shard-0', 'shard-1']);
    expect(counts.reduce((sum, { live }) => sum + live, 0)).toBe(records.length);
    expect(counts.reduce((sum, each) => sum + each.ended, 0)).toBe(1);
  });
}
