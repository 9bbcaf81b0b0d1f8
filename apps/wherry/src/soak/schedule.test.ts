import { expect, test } from 'vitest';
import { ROLES, SERVERS, faultSchedule, faultText, type PlannedFault } from './schedule.ts';

function first(seed: number, count: number): PlannedFault[] {
  const schedule = faultSchedule(seed);
  return Array.from({ length: count }, () => schedule.next().value);
}

test('the same seed gives the same faults, another one others', () => {
  expect(first(1, 100)).toEqual(first(1, 100));
  expect(first(1, 100)).not.toEqual(first(2, 100));
});

test.each([1, 2, 3, 4_000_000_000])('seed %i: five faults are of five kinds, and soon everybody was struck', (seed) => {
  expect(new Set(first(seed, 5).map(({ fault }) => fault.kind)).size).toBe(5);
  const faults = first(seed, 60).map(({ fault }) => fault);
  expect(new Set(faults.flatMap((fault) => ('role' in fault ? [fault.role] : []))).size).toBe(ROLES.length);
  expect(new Set(faults.flatMap((fault) => (fault.kind === 'restart' ? [fault.server] : []))).size).toBe(SERVERS.length);
  for (const fault of faults) {
    expect(faultText(fault)).toMatch(/^[a-z0-9 -]+$/);
    if ('ms' in fault) expect(fault.ms).toBeGreaterThan(0);
  }
});
