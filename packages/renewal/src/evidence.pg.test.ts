import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { startFamilyCluster, type FamilyCluster } from './testing/cluster.ts';
import { evidenceSuite } from './testing/evidence-suite.ts';

evidenceSuite(() => inject('postgresUrl'));

let cluster: FamilyCluster;
beforeAll(async () => {
  cluster = await startFamilyCluster(inject('postgresUrl'));
});
afterAll(async () => cluster[Symbol.asyncDispose]());

test('the evidence of a session is read by its index, not by all rows', async () => {
  const database = cluster.shards.shard(0).database;
  const { rows } = await database.query<{ 'QUERY PLAN': string }>(
    `EXPLAIN SELECT k.n, t.clients FROM unnest($1::int[], $2::bigint[]) WITH ORDINALITY k(slot, id, n)
     JOIN LATERAL (SELECT t.clients FROM token_family_evidence t WHERE t.slot = k.slot AND t.id = k.id LIMIT 1) t ON true`,
    [[1], [1n]],
  );
  const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
  expect(plan).toMatch(/Index Cond: \(\(slot = k\.slot\) AND \(session_id = k\.id\)\)/);
});
