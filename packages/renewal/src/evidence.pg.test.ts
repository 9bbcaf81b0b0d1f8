import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { IDLE_MS, beginning, newSessionId, presenting, startFamilyCluster, type FamilyCluster } from './testing/cluster.ts';

let cluster: FamilyCluster;
beforeAll(async () => {
  cluster = await startFamilyCluster(inject('postgresUrl'));
});
afterAll(async () => cluster[Symbol.asyncDispose]());

const T = 1_800_000_000_000;

test('evidence is kept by client over all its families, proof as the first time, use as the last, in whatever order it comes', async () => {
  const { families } = cluster;
  const sessionId = newSessionId();
  const other = newSessionId();
  await Promise.all(['web', 'web', 'native'].map(async (clientId, i) => families.begin(beginning({ sessionId, clientId, now: T + i }))));
  await families.begin(beginning({ sessionId: other, now: T }));
  expect(await families.evidenceOf(sessionId)).toEqual([
    { clientId: 'native', provedAt: null, sessionTokenUsedAt: null, aliveUntil: T + 2 + IDLE_MS },
    { clientId: 'web', provedAt: null, sessionTokenUsedAt: null, aliveUntil: T + 1 + IDLE_MS },
  ]);
  await Promise.all(
    [5, 3, 9, 3].flatMap((at) => [families.noteProof(sessionId, 'web', T + at), families.noteSessionTokenUse(sessionId, 'web', T + at)]),
  );
  await families.noteSessionTokenUse(sessionId, 'native', T);
  await families.noteProof(sessionId, 'nobody', T);
  expect(await families.evidenceOf(sessionId)).toMatchObject([
    { clientId: 'native', provedAt: null, sessionTokenUsedAt: T },
    { clientId: 'web', provedAt: T + 3, sessionTokenUsedAt: T + 9 },
  ]);
  expect(await families.evidenceOf(other)).toMatchObject([{ provedAt: null, sessionTokenUsedAt: null }]);
  expect(await families.evidenceOf(newSessionId())).toEqual([]);
  await families.endOfSession(sessionId, T);
  expect(await families.evidenceOf(sessionId)).toMatchObject([{ aliveUntil: null }, { aliveUntil: null, provedAt: T + 3 }]);
});

test('a renewal is a proof, the giving out is none, and notes taken meanwhile are not lost', async () => {
  const { families } = cluster;
  const sessionId = newSessionId();
  const { credential } = await families.begin(beginning({ sessionId, now: T, absoluteExpiry: T + 5000 }));
  expect(await families.evidenceOf(sessionId)).toMatchObject([{ provedAt: null, aliveUntil: T + 5000 }]);
  const uses = Array.from({ length: 20 }, async (_, i) => families.noteSessionTokenUse(sessionId, 'web', T + i));
  await Promise.all([families.renew({ credential, ...presenting({ now: T + 100 }) }), ...uses]);
  expect(await families.evidenceOf(sessionId)).toMatchObject([{ provedAt: T + 100, sessionTokenUsedAt: T + 19 }]);
  await families.noteProof(sessionId, 'web', T + 50);
  expect(await families.evidenceOf(sessionId)).toMatchObject([{ provedAt: T + 50 }]);
});

test('many notes are few statements, and a note that says nothing new writes nothing', async () => {
  const { families, shards } = cluster;
  const sessions = Array.from({ length: 100 }, newSessionId);
  await Promise.all(sessions.map(async (sessionId) => families.begin(beginning({ sessionId, now: T }))));
  const statements = (): number => shards.all.reduce((sum, { counts }) => sum + counts.statements, 0);
  const before = statements();
  await Promise.all(sessions.map(async (sessionId) => families.noteSessionTokenUse(sessionId, 'web', T)));
  expect(statements() - before).toBeLessThanOrEqual(8);
  const rows = async (): Promise<unknown[]> =>
    Promise.all(shards.all.map(async ({ database }) => (await database.query('SELECT xmin::text, t::text FROM token_family t')).rows));
  const written = await rows();
  await Promise.all(sessions.map(async (sessionId) => families.noteSessionTokenUse(sessionId, 'web', T - 1)));
  expect(await rows()).toEqual(written);
});

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
