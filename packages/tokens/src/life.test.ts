import { expect, test } from 'vitest';
import { checkTokenLives } from './life.ts';

test('a token that outlives every session with its window is refused, with the figures', () => {
  expect(() => checkTokenLives({ lifeS: 600, renewalWindowS: 1200, absoluteLifeS: 1800 })).not.toThrow();
  expect(() => checkTokenLives({ lifeS: 600, renewalWindowS: 1200, absoluteLifeS: null })).not.toThrow();
  expect(() => checkTokenLives({ lifeS: 600, renewalWindowS: 1200, absoluteLifeS: 1799 })).toThrowError(/600.*1200.*1800 s.*1799/);
});

test.each([
  { lifeS: 0, renewalWindowS: 0, absoluteLifeS: null },
  { lifeS: 1.5, renewalWindowS: 0, absoluteLifeS: null },
  { lifeS: Number.NaN, renewalWindowS: 0, absoluteLifeS: null },
  { lifeS: 1, renewalWindowS: -1, absoluteLifeS: null },
  { lifeS: 1, renewalWindowS: 1, absoluteLifeS: 0 },
])('%j is no configuration', (lives) => {
  expect(() => checkTokenLives(lives)).toThrowError(expect.objectContaining({ code: 'config_invalid' }));
});
