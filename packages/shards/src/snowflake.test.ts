import type { Clock } from '@wherry/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SNOWFLAKE_EPOCH, Snowflake, snowflakeParts, type SnowflakeWorker } from './snowflake.ts';

const START = SNOWFLAKE_EPOCH + 1_000_000;

interface HandClock extends Clock {
  time: number;
}

/** A clock that is moved by hand, and by `step` at each reading: without a step, waiting for the next millisecond does not end. */
function handClock(step = 0): HandClock {
  const clock: HandClock = { time: START, now: () => Math.floor((clock.time += step)), monotonic: () => clock.time };
  return clock;
}

const forEver = (id: number): SnowflakeWorker => ({
  id,
  reservedUntil: Number.MAX_SAFE_INTEGER,
  valid: true,
  reserve: async () => undefined,
});

test('an id has its parts in 41, 10 and 12 bits and is positive', async () => {
  const clock = handClock();
  const snowflake = new Snowflake({ worker: forEver(1023), after: 0, clock });
  const first = await snowflake.next();
  expect(snowflakeParts(first)).toEqual({ time: START, worker: 1023, sequence: 0 });
  expect(snowflakeParts(await snowflake.next()).sequence).toBe(1);
  clock.time = SNOWFLAKE_EPOCH + 2 ** 41 - 1;
  const last = await snowflake.next();
  expect(last).toBeLessThan(2n ** 63n);
  expect(last >> 22n).toBe(2n ** 41n - 1n);
});

test('the ids of one millisecond used up, the next millisecond is waited for', async () => {
  const clock = handClock();
  const snowflake = new Snowflake({ worker: forEver(0), after: 0, clock });
  for (let i = 0; i < 4096; i++) await snowflake.next();
  let done = false;
  const next = snowflake.next().finally(() => (done = true));
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(done).toBe(false);
  clock.time++;
  expect(snowflakeParts(await next)).toEqual({ time: START + 1, worker: 0, sequence: 0 });
});

test('under a clock that jumps, ids rise strictly or are refused', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: -50, max: 50 }), { maxLength: 60 }), async (jumps) => {
      const clock = handClock(0.25);
      const snowflake = new Snowflake({ worker: forEver(5), after: START - 1, clock });
      let last = 0n;
      let latest = START - 1;
      for (const jump of jumps) {
        clock.time += jump;
        const behind = Math.floor(clock.time + 0.25) < latest;
        const id = await snowflake.next().catch((error: unknown) => error);
        if (behind) {
          expect(id).toMatchObject({ code: 'id_clock_backwards' });
          continue;
        }
        expect(id).toBeGreaterThan(last);
        last = id as bigint;
        latest = snowflakeParts(last).time;
      }
    }),
  );
});

test('the holders of one worker id, one after the other, never make the same id, whatever their clocks do', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.integer({ min: 0, max: 40 }), fc.array(fc.integer({ min: -5, max: 20 }), { maxLength: 10 })), { maxLength: 8 }),
      async (holders) => {
        // The worker id's row: what is reserved is never taken back, and the next holder starts behind it.
        let highWater = 0;
        const ids = new Set<bigint>();
        let made = 0;
        for (const [start, jumps] of holders) {
          const clock = handClock(0.25);
          clock.time += start;
          if (clock.time <= highWater) continue;
          const after = highWater;
          const reserve = (): void => void (highWater = Math.max(highWater, clock.time + 10));
          reserve();
          const worker: SnowflakeWorker = {
            id: 1,
            get reservedUntil() {
              return highWater;
            },
            valid: true,
            reserve: async () => reserve(),
          };
          const snowflake = new Snowflake({ worker, after, clock });
          for (const jump of jumps) {
            clock.time += jump;
            const id = await snowflake.next().catch(() => undefined);
            if (id === undefined) continue;
            ids.add(id);
            made++;
          }
        }
        expect(ids.size).toBe(made);
      },
    ),
  );
});

test('a worker id that was lost makes no ids', async () => {
  const snowflake = new Snowflake({ worker: { ...forEver(1), valid: false }, after: 0, clock: handClock() });
  await expect(snowflake.next()).rejects.toMatchObject({ code: 'id_worker_lost' });
});
