import fc from 'fast-check';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { TokenFamilies } from '@wherry/renewal';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { Operator } from './operator.ts';
import { PhaseBench, TOKEN_S } from './phase-bench.ts';
import { VISITORS, type Kind, type OperatorAct, type Plan, type Presented, type Step } from './plan.ts';
import { runPlan, type Scene } from './run-plan.ts';
import { WHOLE_WALK } from './whole-walk.ts';

/** Runs, and the seed, for a longer look: `WHERRY_MODEL_RUNS=2000 WHERRY_MODEL_SEED=42`. */
const RUNS = process.env['WHERRY_MODEL_RUNS'];
const SEED = Number(process.env['WHERRY_MODEL_SEED'] ?? Math.trunc(Math.random() * 0x7f_ff_ff_ff));
const USUAL_RUNS = 120;
const LIMIT_MS = 55_000;

let bench: PhaseBench;
let scene: Scene;
let lines: string[] = [];
beforeAll(async () => {
  bench = await PhaseBench.create(inject('postgresUrl'), inject('redisUrl'));
  const auths = [await bench.auth('auth 0'), await bench.auth('auth 1')] as const;
  const gateways = [await bench.gateway('gateway 0', auths[0]), await bench.gateway('gateway 1', auths[1])] as const;
  const { shards, map } = bench.cluster;
  const families = new TokenFamilies({ shards, map, windowMs: 2 * TOKEN_S * 1000, deadlineMs: PATIENT_MS });
  const operator = new Operator(bench, families);
  scene = { bench, operator, gateways, auths, told: (what) => lines.push(what) };
});
afterAll(() => bench[Symbol.asyncDispose]());

const visitor = fc.nat({ max: VISITORS - 1 });
const either = fc.nat({ max: 1 });
const operate: fc.Arbitrary<Step> = fc
  .oneof<fc.WeightedArbitrary<OperatorAct>[]>(
    { arbitrary: fc.constant({ act: 'advance' }), weight: 6 },
    { arbitrary: fc.constant({ act: 'settle' }), weight: 3 },
    { arbitrary: fc.constant({ act: 'rollback' }), weight: 4 },
    { arbitrary: fc.constant({ act: 'retire' }), weight: 2 },
    { arbitrary: fc.constantFrom(0, 50, 100).map((percent) => ({ act: 'set-percent', percent })), weight: 2 },
  )
  .map((act) => ({ step: 'operate', act }));
const retirement: fc.Arbitrary<readonly Step[]> = fc
  .record({ visitor, gateway: either, presented: fc.constantFrom<Presented[]>('session', 'jwt', 'renewed') })
  .map(({ presented, ...who }) => [
    ...(['advance', 'settle', 'life-passes', 'retire'] as const).map((act) => ({ step: 'operate', act: { act } }) as const),
    { step: 'log-in', visitor: who.visitor, auth: who.gateway },
    { step: 'request', presented, lost: false, ...who },
    { step: 'exchange', visitor: who.visitor, auth: who.gateway, lost: false },
    { step: 'age', ...who },
    { step: 'get-in', ...who },
  ]);
/** The news of a step are on their way to one, and the operator goes on. */
const surprise: fc.Arbitrary<readonly Step[]> = fc
  .record({
    node: fc.nat({ max: 3 }),
    first: fc.constantFrom('advance', 'rollback'),
    second: fc.constantFrom('settle', 'settle', 'advance', 'rollback'),
    visitor,
    gateway: either,
    presented: fc.constantFrom<Presented[]>('jwt', 'session'),
  })
  .map(({ node, first, second, presented, ...who }) => [
    { step: 'hold', node },
    { step: 'operate', act: { act: first } },
    { step: 'request', presented, lost: false, ...who },
    { step: 'operate', act: { act: second } },
    { step: 'request', presented: 'session', lost: false, ...who },
  ]);
/** Somebody is cut off where session tokens are refused. */
const solitude: fc.Arbitrary<readonly Step[]> = fc.record({ node: fc.nat({ max: 1 }), visitor }).map(({ node, visitor }) => [
  { step: 'request', visitor, gateway: node, presented: 'jwt', lost: false },
  { step: 'request', visitor, gateway: node, presented: 'session', lost: false },
  { step: 'lapse', node },
  { step: 'request', visitor, gateway: node, presented: 'session', lost: false },
]);
const request: fc.Arbitrary<Step> = fc.record({
  step: fc.constant('request'),
  visitor,
  gateway: either,
  presented: fc.constantFrom<Presented[]>('jwt', 'session', 'session', 'both', 'renewed'),
  lost: fc.boolean(),
});
const token: fc.Arbitrary<Step> = fc.record({
  step: fc.constantFrom('exchange', 'renew'),
  visitor,
  auth: either,
  lost: fc.boolean(),
});
const other: fc.Arbitrary<Step> = fc.record({ step: fc.constantFrom('age', 'forget-session', 'get-in'), visitor, gateway: either });
const logIn: fc.Arbitrary<Step> = fc.record({ step: fc.constant('log-in'), visitor, auth: either });
const logOut: fc.Arbitrary<Step> = fc.record({
  step: fc.constant('log-out'),
  visitor,
  auth: either,
  everywhere: fc.boolean(),
});
const hinder: fc.Arbitrary<Step> = fc.record({ step: fc.constantFrom('hold', 'hold', 'lapse', 'mend'), node: fc.nat({ max: 3 }) });
const one = (arbitrary: fc.Arbitrary<Step>): fc.Arbitrary<readonly Step[]> => arbitrary.map((step) => [step]);
const steps = fc
  .array(
    fc.oneof(
      { arbitrary: one(operate), weight: 6 },
      { arbitrary: one(request), weight: 8 },
      { arbitrary: one(token), weight: 4 },
      { arbitrary: one(other), weight: 5 },
      { arbitrary: one(logIn), weight: 2 },
      { arbitrary: one(logOut), weight: 1 },
      { arbitrary: one(hinder), weight: 4 },
      { arbitrary: surprise, weight: 3 },
      { arbitrary: solitude, weight: 2 },
      { arbitrary: retirement, weight: 2 },
    ),
    { minLength: 6, maxLength: 24 },
  )
  .map((parts) => parts.flat());
const plan: fc.Arbitrary<Plan> = fc.record({
  kinds: fc.array(fc.constantFrom<Kind[]>('native', 'cookie'), { minLength: VISITORS, maxLength: VISITORS }),
  exchanged: fc.array(fc.boolean(), { minLength: VISITORS, maxLength: VISITORS }),
  start: fc.constantFrom(0, 1, 2, 3, 3, 4, 4),
  quietMs: fc.constantFrom(0, 0, 3_600_000),
  steps,
});

test('clients go through all phases, and back, and to the end', async () => {
  lines = [];
  await runPlan(scene, WHOLE_WALK).catch((cause: unknown) => {
    throw new Error(`after\n${lines.join('\n')}`, { cause });
  });
  expect(scene.operator.phase).toBe('retired');
});

test(
  `clients and phases in any order: who is signed in gets in, and who is not does not (seed ${SEED})`,
  { timeout: 3_600_000 },
  async () => {
    let done = 0;
    const reached = new Set<string>();
    const property = fc.asyncProperty(plan, async (chosen) => {
      lines = [];
      await runPlan(scene, chosen);
      done++;
      for (const line of lines) if (line.startsWith('now ')) reached.add(line.slice(4));
    });
    const asserted = fc.assert(property, {
      seed: SEED,
      numRuns: RUNS === undefined ? USUAL_RUNS : Number(RUNS),
      ...(RUNS === undefined ? { interruptAfterTimeLimit: LIMIT_MS, markInterruptAsFailure: false } : {}),
      // Real services keep what went before in memory, so a smaller example is seldom one.
      endOnFailure: true,
    });
    await asserted.catch((cause: unknown) => {
      const why = cause instanceof Error && cause.cause instanceof Error ? cause.cause.message : '';
      throw new Error(`${why}\nafter\n${lines.join('\n')}`, { cause });
    });
    expect(done).toBeGreaterThan(0);
    expect([...reached]).toEqual(expect.arrayContaining(['dual', 'led', 'preferred', 'drain']));
  },
);
