import type { FeedPosition } from '@wherry/sessions';
import { expect, test } from 'vitest';
import { LagMeter } from './lag-meter.ts';

function at(place: number, history = 'a'): FeedPosition {
  return { history, at: place, detail: '' };
}

test('the lag is the age of the oldest head that was not reached, and nothing when all were', async () => {
  let head = at(10);
  const lag = new LagMeter(async () => head);
  await lag.look();
  expect(lag.lag(at(9))).toMatchObject({ lagBytes: 1 });
  expect(lag.lag(at(9)).lagMs).toBeGreaterThan(0);
  head = at(30);
  await lag.look();
  expect(lag.lag(at(10))).toMatchObject({ lagBytes: 20 });
  expect(lag.lag(at(30))).toEqual({ lagMs: 0, lagBytes: 0 });
});

test('a head of another history is behind once a later one of this history is', async () => {
  let head = at(500, 'before');
  const lag = new LagMeter(async () => head);
  await lag.look();
  expect(lag.lag(at(1_000_000)).lagMs).toBeGreaterThan(0);
  head = at(7);
  await lag.look();
  expect(lag.lag(at(7))).toEqual({ lagMs: 0, lagBytes: 0 });
});
