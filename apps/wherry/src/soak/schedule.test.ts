import { expect, test } from 'vitest';
import { DATABASES, KINDS, ROLES, SERVERS, faultSchedule, faultText, type PlannedFault, type SoakFault } from './schedule.ts';

function first(seed: number, count: number): PlannedFault[] {
  const schedule = faultSchedule(seed);
  return Array.from({ length: count }, () => schedule.next().value);
}

test('the same seed gives the same faults, another one others', () => {
  expect(first(1, 100)).toEqual(first(1, 100));
  expect(first(1, 100)).not.toEqual(first(2, 100));
});

test('the faults of a seed stay what they were: a run of long ago can be done again', () => {
  expect(first(1, 8).map(({ pauseMs, fault }) => `${pauseMs}: ${faultText(fault)}`)).toMatchInlineSnapshot(`
    [
      "1754: auth is killed",
      "2462: the clock of gateway-1 is wrong by 6770 ms for 3023 ms",
      "1352: the disk of shard-0 is full for 1638 ms",
      "1478: auth stands still for 721 ms",
      "809: control is down for 652 ms",
      "2034: gateway-0 is cut off from control for 1397 ms",
      "1681: control crashes and is back after 205 ms",
      "1816: source is down for 370 ms",
    ]
  `);
});

test.each([1, 2, 3, 4_000_000_000])('seed %i: a round of faults is one of each kind, and soon everybody was struck', (seed) => {
  expect(new Set(first(seed, KINDS.length).map(({ fault }) => fault.kind)).size).toBe(KINDS.length);
  const faults = first(seed, 100).map(({ fault }) => fault);
  const struck = (kind: SoakFault['kind']): number =>
    new Set(faults.flatMap((fault) => (fault.kind === kind && 'server' in fault ? [fault.server] : []))).size;
  expect(new Set(faults.flatMap((fault) => ('role' in fault ? [fault.role] : []))).size).toBe(ROLES.length);
  expect(struck('restart')).toBe(SERVERS.length);
  expect(struck('crash')).toBe(DATABASES.length);
  const long = faults.flatMap((fault) => (fault.kind === 'freeze' && fault.ms > 5000 ? [fault.role] : []));
  expect(new Set(long).size).toBe(ROLES.length);
  for (const fault of faults) {
    expect(faultText(fault)).toMatch(/^[a-z0-9 -]+$/);
    if ('ms' in fault) expect(fault.ms).toBeGreaterThanOrEqual(0);
  }
});
