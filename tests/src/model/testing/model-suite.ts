import fc from 'fast-check';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { Fault, FaultPoint } from '../../support/faults.ts';
import { ModelBench } from '../model-bench.ts';
import type { ModelSource } from '../model-source.ts';
import { LIVES_MS, LOG_INS, SHORT_LIVES_MS, type Phase, type Plan, type Request } from '../plan.ts';
import { runPlan } from '../run-plan.ts';

/** Options of {@link describeModel}. */
export interface ModelSuite {
  /** A source of its own for each run. */
  readonly open: () => Promise<ModelSource>;
  /** Runs where the environment does not say otherwise. */
  readonly runs: number;
  /** After which no further run begins, ms. */
  readonly limitMs: number;
}

/** Runs, and the seed, for a longer look: `WHERRY_MODEL_RUNS=2000 WHERRY_MODEL_SEED=42`. */
const RUNS = process.env['WHERRY_MODEL_RUNS'];
const SEED = Number(process.env['WHERRY_MODEL_SEED'] ?? Math.trunc(Math.random() * 0x7f_ff_ff_ff));

const RUN_MS = 60_000;

const logIn = fc.nat({ max: LOG_INS - 1 });
const request: fc.Arbitrary<Request> = fc.record({
  kind: fc.oneof(
    { arbitrary: fc.constant('save' as const), weight: 6 },
    { arbitrary: fc.constant('touch' as const), weight: 4 },
    { arbitrary: fc.constant('end' as const), weight: 2 },
    { arbitrary: fc.constant('rotate' as const), weight: 1 },
  ),
  logIn,
  life: fc.nat({ max: LIVES_MS.length - 1 }),
});
const requests = fc.array(request, { minLength: 2, maxLength: 7 });
const fault: fc.Arbitrary<Fault> = fc.record({
  point: fc.constantFrom<FaultPoint[]>(
    'source.get',
    'source.save',
    'source.put',
    'source.touch',
    'source.end',
    'session-put',
    'session-save',
    'session-touch',
    'session-end',
  ),
  when: fc.constantFrom('before', 'after'),
});
const faults = fc.oneof(
  { arbitrary: fc.constant([]), weight: 1 },
  { arbitrary: fc.array(fault, { minLength: 1, maxLength: 3 }), weight: 1 },
);
const phases: fc.Arbitrary<Phase[]> = fc
  .record({
    copy: fc.boolean(),
    rest: fc.array(fc.constantFrom<Phase[]>('verify', 'repair', 'forward', 'back', 'forward'), { minLength: 1, maxLength: 4 }),
  })
  .map(({ copy, rest }) => (copy ? ['copy', ...rest] : rest));
const anything: fc.Arbitrary<Plan> = fc.record({
  prepared: fc.boolean(),
  side: fc.constant('source'),
  lives: fc.constant(LIVES_MS),
  requests: fc.tuple(requests, requests),
  reads: fc.array(logIn, { minLength: 2, maxLength: 10 }),
  phases,
  faults: fc.tuple(faults, faults),
  lapses: fc.oneof(
    { arbitrary: fc.constant([]), weight: 2 },
    { arbitrary: fc.array(fc.constantFrom<(0 | 1)[]>(0, 1), { minLength: 1, maxLength: 2 }), weight: 1 },
  ),
});

const oneLogIn = fc.array(
  fc.record<Request>({ kind: fc.constantFrom('save', 'save', 'touch', 'end'), logIn: fc.constant(0), life: fc.constant(0) }),
  { minLength: 2, maxLength: 4 },
);
const failedMirror: fc.Arbitrary<Fault> = fc.record({ point: fc.constantFrom('session-put', 'source.put'), when: fc.constant('before') });
/** Everything about one session, whose mirror fails while slots change sides and processes lapse: where most can go wrong. */
const narrow: fc.Arbitrary<Plan> = fc.record({
  prepared: fc.constant(true),
  side: fc.constant('source'),
  lives: fc.constant(LIVES_MS),
  requests: fc.tuple(oneLogIn, oneLogIn),
  reads: fc.array(fc.constant(0), { minLength: 1, maxLength: 4 }),
  phases: fc.array(fc.constantFrom<Phase[]>('forward', 'back'), { minLength: 1, maxLength: 3 }),
  faults: fc.tuple(fc.array(failedMirror, { maxLength: 2 }), fc.array(failedMirror, { maxLength: 2 })),
  lapses: fc.array(fc.constantFrom<(0 | 1)[]>(0, 1), { maxLength: 1 }),
});

const shortLived = fc.array(
  fc.record<Request>({
    kind: fc.constantFrom('save', 'save', 'touch', 'touch', 'touch', 'end', 'rotate', 'idle'),
    logIn,
    life: fc.nat({ max: SHORT_LIVES_MS.length - 1 }),
  }),
  { minLength: 3, maxLength: 6 },
);
const missedBySource: fc.Arbitrary<Fault> = fc.record({
  point: fc.constantFrom('source.touch', 'source.touch', 'source.put', 'session-put'),
  when: fc.constant('before'),
});
/** Sessions run out, or get a longer life of which one side hears late, while slots change sides and come back. */
const expiring: fc.Arbitrary<Plan> = fc.record({
  prepared: fc.constant(true),
  side: fc.constantFrom('source', 'target'),
  lives: fc.constant(SHORT_LIVES_MS),
  requests: fc.tuple(shortLived, shortLived),
  reads: fc.array(logIn, { minLength: 2, maxLength: 10 }),
  phases: fc.array(fc.constantFrom<Phase[]>('forward', 'back', 'repair'), { minLength: 1, maxLength: 3 }),
  faults: fc.tuple(fc.array(missedBySource, { maxLength: 2 }), fc.array(missedBySource, { maxLength: 2 })),
  lapses: fc.constant([]),
});
const plan = fc.oneof({ arbitrary: anything, weight: 2 }, { arbitrary: narrow, weight: 2 }, { arbitrary: expiring, weight: 1 });

/** The invariants I1 to I7 under every order of statements that the scheduler finds. */
export function describeModel({ open, runs, limitMs }: ModelSuite): void {
  let bench: ModelBench;
  let done = 0;
  let stage = '';
  beforeAll(async () => {
    bench = await ModelBench.create(inject('postgresUrl'));
  });
  afterAll(() => bench.close());

  test(`applications, gateway and migrator in any order keep the invariants (seed ${SEED})`, { timeout: 3_600_000 }, async () => {
    const property = fc.asyncProperty(fc.scheduler(), plan, async (scheduler, chosen) => {
      const store = await open();
      try {
        await runPlan(bench, store, scheduler, chosen, (name) => (stage = name));
        done++;
      } finally {
        await store.close();
      }
    });
    const told = fc.assert(property, {
      seed: SEED,
      numRuns: RUNS === undefined ? runs : Number(RUNS),
      ...(RUNS === undefined ? { interruptAfterTimeLimit: limitMs, markInterruptAsFailure: false } : {}),
      // Nothing may wait for ever either.
      timeout: RUN_MS,
      // Real statements take different times when they are run again, so a smaller example is seldom one.
      endOnFailure: true,
    });
    await told.catch((cause: unknown) => {
      throw new Error(`while ${stage}: ${cause instanceof Error ? cause.message : ''}`, { cause });
    });
    expect(done).toBeGreaterThan(0);
  });
}
