import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { fencedSql } from './fence.ts';
import { asPostgres } from './shard-database.ts';
import { beginClosing, commitSide, readSlotMap } from './slot-map-changes.ts';
import { closeOnShard, openOnShard } from './slot-owners.ts';
import { startCluster, type Cluster } from './testing/cluster.ts';
import { fenceSuite } from './testing/fence-suite.ts';
import { FORMS, ITEM_SQL, itemTable } from './testing/items.ts';

/** Of a closing that no test lets run out. */
const LONG_MS = 3_600_000;

fenceSuite(() => inject('postgresUrl'));

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster(inject('postgresUrl'), { shardCount: 1 });
  await cluster.shards.shard(0).database.query(itemTable('postgres'));
});
afterAll(async () => cluster[Symbol.asyncDispose]());

const contents = async (): Promise<unknown> => (await cluster.shards.shard(0).database.query('SELECT * FROM item ORDER BY slot, id')).rows;

test.each(FORMS)('%s: a statement that began before a closing and reaches the fence after it writes nothing', async (form) => {
  const { control, shards } = cluster;
  const shard = shards.shard(0).database;
  await shard.query('TRUNCATE item');
  await shard.query('INSERT INTO item VALUES (10, 1, 1)');
  const [entry] = await readSlotMap(control, [10]);
  const epoch = entry?.epoch ?? 0;
  const [gate, writer] = [await asPostgres(shard).connect(), await asPostgres(shard).connect()];
  try {
    await gate.query('SELECT pg_advisory_lock(77)');
    // The snapshot is taken, then the statement waits in front of its first row, as one does that loses its processor.
    const text = fencedSql({ columns: [], ...ITEM_SQL[form], refusal: '1' }).replace(
      'SELECT * FROM unnest(',
      'SELECT k.* FROM (SELECT pg_advisory_lock_shared(77) OFFSET 0) gate, unnest(',
    );
    const values = ['{10}', `{${epoch}}`, form === 'insert' ? '{2}' : '{1}'];
    const late = writer.query<unknown[]>({ text, values, rowMode: 'array' });
    const waiting =
      'SELECT FROM pg_locks WHERE locktype = $1 AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())';
    while ((await gate.query(waiting, ['advisory'])).rowCount === 0);
    const closing = await beginClosing(control, [10], [epoch], LONG_MS);
    expect(await closeOnShard(shard, [10], [epoch], closing.seq)).toBe(1);
    const before = await contents();
    await gate.query('SELECT pg_advisory_unlock(77)');
    expect((await late).rows).toMatchObject([{ 1: false, 2: false }]);
    expect(await contents()).toEqual(before);
    await openOnShard(shard, [10], [epoch + 1], 'target', await commitSide(control, closing, { side: 'target' }));
  } finally {
    gate.release(true);
    writer.release(true);
  }
});
