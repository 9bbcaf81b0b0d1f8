import { expect, test } from 'vitest';
import type { WorkOrder } from './journal/state.ts';
import { Pace } from './pace.ts';
import { silentProgress } from './progress.ts';

const STATE: WorkOrder = {
  version: 1n,
  step: 'copy',
  goal: 'target',
  goalPercent: 100,
  paused: false,
  rate: 0,
  salt: '',
  verifiedSince: null,
  verifyAskedAt: null,
  batch: 0,
  aborting: false,
  abortedAt: null,
  workers: 1,
};

/** A pace, and the row that steers it. */
class Steered {
  row: WorkOrder = STATE;
  readonly stop: AbortController = new AbortController();
  readonly pace: Pace;

  constructor(maxRate: number) {
    this.pace = new Pace({ journal: { order: async () => this.row }, progress: silentProgress, signal: this.stop.signal, maxRate });
  }
}

/** How long five units of 100 sessions take, ms. */
async function timeOfUnits(pace: Pace): Promise<number> {
  const from = performance.now();
  for (let n = 0; n < 5; n++) await pace.unit(100, async () => undefined);
  return performance.now() - from;
}

// The first unit runs at once; each of the other four waits until the one before is paid for. Timers may be a session early.
test.each([
  ["the operator's rate", 1000, 0, 396],
  ['the rate of the process', 0, 1000, 396],
  ['the lower of both', 100_000, 1000, 396],
  ['the lower of both, the other way round', 1000, 100_000, 396],
])('%s holds', async (_, rate, maxRate, leastMs) => {
  const bench = new Steered(maxRate);
  bench.row = { ...STATE, rate };
  expect(await timeOfUnits(bench.pace)).toBeGreaterThanOrEqual(leastMs);
});

test('what costs nothing does not wait for what does', async () => {
  const bench = new Steered(1);
  await bench.pace.unit(1_000_000, async () => undefined);
  expect(await bench.pace.unit(0, async () => 'done')).toBe('done');
});

test.each<readonly [string, Partial<WorkOrder> | undefined, string]>([
  ['the rate is raised', { rate: 0 }, 'done'],
  ['the goal is changed', { goal: 'source' }, 'GoalChanged'],
  ['the end has come', undefined, 'AbortError'],
])('a wait of an hour ends when %s', async (_, change, outcome) => {
  const bench = new Steered(0);
  bench.row = { ...STATE, rate: 1 };
  bench.pace.begin(bench.row);
  await bench.pace.unit(3600, async () => undefined);
  const waiting = bench.pace.unit(1, async () => 'done').catch((error: Error) => error.name);
  if (change === undefined) bench.stop.abort();
  else bench.row = { ...bench.row, ...change };
  expect(await waiting).toBe(outcome);
});
