import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { startFamilyCluster, type FamilyCluster } from './testing/cluster.ts';
import { evidenceSuite } from './testing/evidence-suite.ts';

evidenceSuite(() => inject('mysqlUrl'));

let cluster: FamilyCluster;
beforeAll(async () => {
  cluster = await startFamilyCluster(inject('postgresUrl'), inject('mysqlUrl'));
});
afterAll(async () => cluster[Symbol.asyncDispose]());

test.each([
  [
    'the evidence of a session',
    'LEFT JOIN token_family t FORCE INDEX (token_family_session) ON t.slot = k.slot AND t.session_id = k.id',
    'token_family_session',
  ],
  ['a family', 'LEFT JOIN token_family t ON t.slot = k.slot AND t.id = k.id', 'PRIMARY'],
])('%s is read by its index, not by all rows', async (_, join, index) => {
  const batch = `JSON_TABLE('[[1, 1]]', '$[*]' COLUMNS (slot INT PATH '$[0]', id BIGINT PATH '$[1]')) k`;
  const { rows } = await cluster.shards.shard(0).database.query(`EXPLAIN SELECT STRAIGHT_JOIN k.id, t.client_id FROM ${batch} ${join}`);
  expect(rows[1]).toMatchObject({ table: 't', key: index, ref: expect.stringMatching(/k\.slot,.*k\.id/) });
});
