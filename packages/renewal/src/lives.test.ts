import { expect, test } from 'vitest';
import { checkRenewalLives, type RenewalLives } from './lives.ts';

const lives = (part: Partial<RenewalLives> = {}): RenewalLives => ({
  tokenLifeMs: 300_000,
  windowMs: 600_000,
  idleMs: 900_000,
  absoluteLifeMs: 900_000,
  ...part,
});

test('lives that just fit are taken', () => {
  expect(() => checkRenewalLives(lives())).not.toThrow();
  expect(() => checkRenewalLives(lives({ absoluteLifeMs: null }))).not.toThrow();
});

test.each([
  [{ absoluteLifeMs: 899_999 }, /300000.*600000.*900000 ms.*absoluteLifeMs, 899999/],
  [{ idleMs: 899_999 }, /idleMs, 899999/],
  [{ tokenLifeMs: 0 }, /tokenLifeMs is 0/],
  [{ tokenLifeMs: 1.5 }, /tokenLifeMs is 1.5/],
  [{ windowMs: -1 }, /windowMs is -1/],
  [{ windowMs: Number.NaN }, /windowMs is NaN/],
  [{ idleMs: 0 }, /idleMs is 0/],
  [{ absoluteLifeMs: 0 }, /absoluteLifeMs is 0/],
] as const)('%j is refused, with the figures', (part, message) => {
  expect(() => checkRenewalLives(lives(part))).toThrowError(expect.objectContaining({ code: 'config_invalid' }));
  expect(() => checkRenewalLives(lives(part))).toThrowError(message);
});
