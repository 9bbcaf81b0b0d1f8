import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { backoffDelay, pause, retry } from './backoff.ts';

const randoms = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

describe('backoffDelay', () => {
  test('lies between 0 and a bound that doubles up to the maximum', () => {
    fc.assert(
      fc.property(
        fc.nat(2000),
        fc.integer({ min: 1, max: 1000 }),
        fc.integer({ min: 1, max: 100_000 }),
        randoms,
        (attempt, baseMs, maxMs, r) => {
          const wait = backoffDelay(attempt, { baseMs, maxMs, random: () => r });
          const bound = Math.min(maxMs, baseMs * 2 ** Math.min(attempt, 30));
          expect(wait).toBeGreaterThanOrEqual(0);
          expect(wait).toBeLessThanOrEqual(bound);
          expect(wait).toBeCloseTo(bound * r, 6);
        },
      ),
    );
  });

  test('spreads over the whole range, so that clients do not come back together', () => {
    const waits = Array.from({ length: 2000 }, () => backoffDelay(3, { baseMs: 100, maxMs: 10_000 }));
    for (const part of [0, 200, 400, 600]) expect(waits.filter((wait) => wait >= part && wait < part + 200).length).toBeGreaterThan(350);
  });
});

const fast = { baseMs: 1, maxMs: 1 };

describe('retry', () => {
  test('answers the first success, after at most `attempts` runs', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(6), fc.integer({ min: 1, max: 6 }), async (failures, attempts) => {
        let runs = 0;
        const work = (attempt: number): Promise<string> => {
          expect(attempt).toBe(runs++);
          return attempt < failures ? Promise.reject(new Error(`failure ${attempt}`)) : Promise.resolve('done');
        };
        const answer = retry(work, { ...fast, attempts });
        if (failures < attempts) await expect(answer).resolves.toBe('done');
        else await expect(answer).rejects.toThrow(`failure ${attempts - 1}`);
        expect(runs).toBe(Math.min(failures + 1, attempts));
      }),
      { numRuns: 40 },
    );
  });

  test('does not repeat what is not worth it', async () => {
    let runs = 0;
    const work = (): Promise<never> => Promise.reject(new Error(`run ${++runs}`));
    await expect(retry(work, { ...fast, retryable: () => false })).rejects.toThrow('run 1');
  });

  test('an abort during the wait ends it with the last error, without another run', async () => {
    const abort = new AbortController();
    let runs = 0;
    const work = (): Promise<never> => Promise.reject(new Error(`run ${++runs}`));
    const answer = retry(work, {
      baseMs: 60_000,
      maxMs: 60_000,
      random: () => 0.99,
      signal: abort.signal,
      onRetry: () => setImmediate(() => abort.abort()),
    });
    await expect(answer).rejects.toThrow('run 1');
    expect(runs).toBe(1);
  });
});

test('pause ends early, without an error, when it is aborted', async () => {
  await pause(3_600_000, AbortSignal.abort());
  const abort = new AbortController();
  setImmediate(() => abort.abort());
  await pause(3_600_000, abort.signal);
  expect(abort.signal.aborted).toBe(true);
});
