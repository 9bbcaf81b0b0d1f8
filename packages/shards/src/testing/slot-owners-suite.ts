import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { ShardDatabase } from '../shard-database.ts';
import { abortClosing, beginClosing, commitSide } from '../slot-map-changes.ts';
import { applyOwners, closeOnShard, installSlotMap, openOnShard } from '../slot-owners.ts';
import { untilBlocked } from './blocked.ts';
import { startCluster, type Cluster } from './cluster.ts';
import { openTransaction } from './open-transaction.ts';

/** Of a closing that no test lets run out. */
const LONG_MS = 3_600_000;

/** How a writer locks the owner of a slot. */
const LOCK = { postgres: 'FOR KEY SHARE SKIP LOCKED', mysql: 'LOCK IN SHARE MODE' } as const;

/** What holds of the owners on every dialect. Control is the PostgreSQL of the project; the shards are on `shardServerUrl`. */
export function slotOwnersSuite(shardServerUrl: () => string): void {
  let cluster: Cluster;
  let shard: ShardDatabase;
  beforeAll(async () => {
    cluster = await startCluster(inject('postgresUrl'), { shardServerUrl: shardServerUrl() });
    shard = cluster.shards.shard(0).database;
  });
  afterAll(async () => cluster[Symbol.asyncDispose]());

  const owner = async (slot: number): Promise<unknown> => {
    const { rows } = await shard.query<{ text: string }>(
      `SELECT concat_ws(' ', epoch, state, primary_side) AS text FROM slot_owner WHERE slot = $1`,
      [slot],
    );
    return rows[0]?.text;
  };

  test('each shard knows its own slots, and installing them again changes nothing', async () => {
    const { control, shards, map } = cluster;
    await installSlotMap(
      control,
      shards.all.map(({ database }) => database),
    );
    for (const [index, { database }] of shards.all.entries()) {
      const { rows } = await database.query<{ slot: number }>('SELECT slot FROM slot_owner ORDER BY slot');
      expect(rows.length).toBe(8192);
      expect(rows.every(({ slot }) => map.shardOf(slot) === index)).toBe(true);
    }
  });

  test('a closer that was stopped for a while cannot close what was opened since', async () => {
    const { control } = cluster;
    const stopped = await beginClosing(control, [1], [1], LONG_MS);
    const opened = await abortClosing(control, stopped);
    await openOnShard(shard, [1], [1], 'source', opened ?? 0n);
    expect(await closeOnShard(shard, [1], [1], stopped.seq)).toBe(0);
    expect(await owner(1)).toBe('1 open source');
  });

  test('an entry is applied over an older one only, however late and often it comes', async () => {
    const { control } = cluster;
    const closing = await beginClosing(control, [2], [1], LONG_MS);
    expect(await closeOnShard(shard, [2], [1], closing.seq)).toBe(1);
    expect(await closeOnShard(shard, [2], [1], closing.seq)).toBe(1);
    expect(await owner(2)).toBe('1 closing source');
    const committed = await commitSide(control, closing, { side: 'target' });
    const late = { slot: 2, epoch: 1, side: 'source', state: 'open', seq: closing.seq - 1n } as const;
    await applyOwners(shard, [late]);
    expect(await owner(2)).toBe('1 closing source');
    for (let i = 0; i < 2; i++) await openOnShard(shard, [2], [2], 'target', committed);
    await applyOwners(shard, [late, { ...late, seq: committed + 100n, epoch: 1 }]);
    expect(await owner(2)).toBe('2 open target');
  });

  test('closing waits for writers that hold the fence, and turns new ones away meanwhile', async () => {
    const { control, shards } = cluster;
    const writer = await openTransaction(shard);
    const lock = `SELECT slot FROM slot_owner WHERE slot = 3 AND epoch = 1 AND state = 'open' ${LOCK[shards.shard(0).dialect]}`;
    expect((await writer.query(lock)).rowCount).toBe(1);
    const closing = await beginClosing(control, [3], [1], LONG_MS);
    let closed = false;
    const closer = closeOnShard(shard, [3], [1], closing.seq).then((count) => {
      closed = true;
      return count;
    });
    // At once, or when the closer is through: no writer gets the slot any more.
    const turnedAway = (async () => {
      while ((await shard.query(lock)).rowCount === 1);
    })();
    await untilBlocked(shard);
    expect(closed).toBe(false);
    await writer.end('COMMIT');
    expect(await closer).toBe(1);
    await turnedAway;
  });
}
