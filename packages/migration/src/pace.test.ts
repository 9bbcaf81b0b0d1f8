import { WherryError, pause } from '@wherry/core';
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

test('the rate is shared by all workers', async () => {
  const alone = new Steered(0);
  alone.row = { ...STATE, rate: 2000 };
  const shared = new Steered(0);
  shared.row = { ...STATE, rate: 2000, workers: 4 };
  expect(await timeOfUnits(shared.pace)).toBeGreaterThanOrEqual(796);
  expect(shared.pace.report.workers).toBe(4);
  await alone.pace.unit(100, async () => undefined);
  expect(alone.pace.report.workers).toBe(1);
});

test('a store that answers slowly makes the rests longer, also without a rate', async () => {
  const bench = new Steered(0);
  let looks = 0;
  const pace = new Pace({
    journal: { order: async () => bench.row },
    progress: silentProgress,
    signal: bench.stop.signal,
    limits: { sourceMs: 10, targetMs: 0, replicaLagMs: 0 },
    look: async () => ({ sourceMs: looks++ === 0 ? 11 : 1000, targetMs: null, replicaLagMs: null }),
  });
  await pace.unit(1, async () => undefined);
  await expect.poll(() => pace.report.share).toBeLessThan(1);
  expect(pace.report.sourceMs).toBe(11);
  const { share } = pace.report;
  // A unit that takes 100 ms is followed by a rest in proportion.
  await pace.unit(1, () => pause(100));
  const from = performance.now();
  await pace.unit(1, async () => undefined);
  expect(performance.now() - from).toBeGreaterThanOrEqual(90 * (1 / share - 1));
});

test('the operator says how many sessions are read at a time, and else the configuration does', async () => {
  const bench = new Steered(0);
  expect(bench.pace.batchSize).toBe(2000);
  bench.row = { ...STATE, batch: 17 };
  await bench.pace.unit(0, async () => undefined);
  expect(bench.pace.batchSize).toBe(17);
});

test('under a rate a batch is half a second of it at most', async () => {
  const bench = new Steered(0);
  for (const [rate, batch, size] of [
    [0, 0, 2000],
    [100_000, 0, 2000],
    [2000, 0, 1000],
    [2000, 300, 300],
    [10, 0, 100],
    [10, 7, 7],
  ] as const) {
    const steered = new Steered(0);
    steered.row = { ...STATE, rate, batch };
    await steered.pace.unit(0, async () => undefined);
    expect(steered.pace.batchSize).toBe(size);
  }
  bench.row = { ...STATE, rate: 2000, workers: 4 };
  await bench.pace.unit(0, async () => undefined);
  expect(bench.pace.batchSize).toBe(250);
});

test('an outage of a part is waited for as long as its patience lasts, and any other for ever', async () => {
  const bench = new Steered(0);
  let tries = 0;
  const away = async (): Promise<string> => {
    if (++tries < 4) throw new WherryError('shard_unavailable', 'away');
    return 'done';
  };
  await expect(bench.pace.unit(0, away, { patienceMs: 0 })).rejects.toMatchObject({ code: 'shard_unavailable' });
  tries = 0;
  expect(await bench.pace.unit(0, away)).toBe('done');
  expect(tries).toBe(4);
});
