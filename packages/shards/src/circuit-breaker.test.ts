import { expect, test } from 'vitest';
import { CircuitBreaker } from './circuit-breaker.ts';

function breakerAt(): { breaker: CircuitBreaker; clock: { time: number } } {
  const clock = { time: 0 };
  const breaker = new CircuitBreaker({ threshold: 3, openMs: 100, clock: { now: () => clock.time, monotonic: () => clock.time } });
  return { breaker, clock };
}

test('opens after consecutive failures only', () => {
  const { breaker } = breakerAt();
  for (let i = 0; i < 10; i++) {
    breaker.failed();
    breaker.failed();
    breaker.succeeded();
  }
  expect(breaker.state).toBe('closed');
  for (let i = 0; i < 3; i++) breaker.failed();
  expect([breaker.state, breaker.tryPass(), breaker.waitMs]).toEqual(['open', false, 100]);
});

test('lets one probe through after a while; its success closes, its failure opens for longer', () => {
  const { breaker, clock } = breakerAt();
  for (let i = 0; i < 3; i++) breaker.failed();
  clock.time = 100;
  expect([breaker.state, breaker.tryPass(), breaker.tryPass()]).toEqual(['half-open', true, false]);
  breaker.failed();
  clock.time = 299;
  expect(breaker.tryPass()).toBe(false);
  clock.time = 300;
  expect(breaker.tryPass()).toBe(true);
  breaker.succeeded();
  expect([breaker.state, breaker.tryPass(), breaker.tryPass()]).toEqual(['closed', true, true]);
});

test('calls that were under way when it opened change nothing by failing late', () => {
  const { breaker, clock } = breakerAt();
  for (let i = 0; i < 8; i++) breaker.failed();
  expect(breaker.waitMs).toBe(100);
  clock.time = 100;
  expect(breaker.tryPass()).toBe(true);
});
