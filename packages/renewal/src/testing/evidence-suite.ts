import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { IDLE_MS, beginning, newSessionId, presenting, startFamilyCluster, type FamilyCluster } from './cluster.ts';

/** What holds of the evidence of clients, on every dialect. Control is the PostgreSQL of the project; the shards are on `shardServerUrl`. */
export function evidenceSuite(shardServerUrl: () => string): void {
  let cluster: FamilyCluster;
  beforeAll(async () => {
    cluster = await startFamilyCluster(inject('postgresUrl'), shardServerUrl());
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
    // Whatever writes a row changes one of these.
    const state = { postgres: 'SELECT xmin::text, t::text FROM token_family t', mysql: 'SELECT * FROM token_family ORDER BY slot, id' };
    const rows = async (): Promise<unknown[]> =>
      Promise.all(shards.all.map(async ({ database, dialect }) => (await database.query(state[dialect])).rows));
    const written = await rows();
    await Promise.all(sessions.map(async (sessionId) => families.noteSessionTokenUse(sessionId, 'web', T - 1)));
    expect(await rows()).toEqual(written);
  });
}
