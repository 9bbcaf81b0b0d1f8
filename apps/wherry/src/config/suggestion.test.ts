import { describe, expect, it } from 'vitest';
import { suggestion } from './suggestion.ts';

describe('suggestion', () => {
  it.each([
    ['prot', 'port'],
    ['Port', 'port'],
    ['batch_size', 'batchSize'],
    ['accessTokenSecond', 'accessTokenSeconds'],
    ['sesionCacheSise', 'sessionCacheSize'],
  ])('knows %s for %s', (name, meant) => {
    expect(suggestion(name, ['host', 'batchSize', 'accessTokenSeconds', 'sessionCacheSize', 'port'])).toBe(` (did you mean ${meant}?)`);
  });

  it.each(['colour', 'x', '', 'portfolioOfThings'])('has none for %s', (name) => {
    expect(suggestion(name, ['host', 'port', 'id'])).toBe('');
  });
});
