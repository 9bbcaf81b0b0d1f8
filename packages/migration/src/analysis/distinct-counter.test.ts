import { expect, test } from 'vitest';
import { DistinctCounter } from './distinct-counter.ts';
import { HyperLogLog } from './hyper-log-log.ts';

function counted(values: number, times = 1): DistinctCounter {
  const counter = new DistinctCounter('salt of this run');
  for (let time = 0; time < times; time++) for (let n = 0; n < values; n++) counter.add(`value ${n}`);
  return counter;
}

test('few different values are counted exactly, however often they come', () => {
  expect(counted(0).count).toEqual({ count: 0, exact: true });
  expect(counted(7, 5).count).toEqual({ count: 7, exact: true });
  expect(counted(256, 2).count).toEqual({ count: 256, exact: true });
});

test.each([257, 5000, 20_000, 200_000])('%i different values are estimated within 5 %%', (values) => {
  const { count, exact } = counted(values).count;
  expect(exact).toBe(false);
  expect(Math.abs(count - values) / values).toBeLessThan(0.05);
});

test('repetition does not raise an estimate', () => {
  expect(counted(3000, 3).count).toEqual(counted(3000).count);
});

test('the extreme hashes have a place', () => {
  const log = new HyperLogLog();
  log.add(0n);
  log.add(0xffff_ffff_ffff_ffffn);
  expect(log.estimate()).toBe(2);
});
