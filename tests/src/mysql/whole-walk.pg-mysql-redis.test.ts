import { PATIENT_MS } from '@wherry/embedded/testing';
import { TokenFamilies } from '@wherry/renewal';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { Operator } from '../phases/operator.ts';
import { PhaseBench, TOKEN_S } from '../phases/phase-bench.ts';
import { runPlan, type Scene } from '../phases/run-plan.ts';
import { SHORT_WALK } from '../phases/whole-walk.ts';

/*
 * The services on two shards of MariaDB: users register and sign in, exchange, renew at the token endpoint and on the
 * way, lose replies, log out here and everywhere, while the rollout goes through all phases, a step back, and to its end. The
 * ledger that judges each answer is that of the walk on PostgreSQL.
 */
let bench: PhaseBench;
let scene: Scene;
const lines: string[] = [];
beforeAll(async () => {
  bench = await PhaseBench.create(inject('postgresUrl'), inject('redisUrl'), inject('mysqlUrl'));
  const auths = [await bench.auth('auth 0'), await bench.auth('auth 1')] as const;
  const gateways = [await bench.gateway('gateway 0', auths[0]), await bench.gateway('gateway 1', auths[1])] as const;
  const { shards, map } = bench.cluster;
  const families = new TokenFamilies({ shards, map, windowMs: 2 * TOKEN_S * 1000, deadlineMs: PATIENT_MS });
  scene = { bench, operator: new Operator(bench, families), gateways, auths, told: (what) => lines.push(what) };
});
afterAll(() => bench[Symbol.asyncDispose]());

test('on shards of MariaDB clients go through all phases, a step back, and to the end', async () => {
  const { shards } = bench.cluster;
  expect(shards.all.map(({ dialect }) => dialect)).toEqual(['mysql', 'mysql']);
  await runPlan(scene, SHORT_WALK).catch((cause: unknown) => {
    throw new Error(`after\n${lines.join('\n')}`, { cause });
  });
  expect(scene.operator.phase).toBe('retired');
  for (const table of ['user_session', 'token_family', 'app_user', 'username']) {
    const counts = await Promise.all(
      shards.all.map(async ({ database }) => (await database.query<{ n: bigint }>(`SELECT COUNT(*) AS n FROM ${table}`)).rows[0]?.n ?? 0n),
    );
    expect(counts.reduce((sum, count) => sum + count, 0n)).toBeGreaterThan(0n);
  }
});
