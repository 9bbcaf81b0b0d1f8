import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mayRetire } from './retire.ts';

const LIFE = 1000;
const NOW = 10_000;

describe('mayRetire', () => {
  it.each([
    ['a whole life observed and never a use', { lastSessionUse: null, observedSince: 9000, silent: [] }, { ok: true }],
    ['the last use a whole life ago', { lastSessionUse: 9000, observedSince: 0, silent: [] }, { ok: true }],
    ['a use within it', { lastSessionUse: 9001, observedSince: 0, silent: [] }, { ok: false, reason: 'used_recently', notBefore: 10_001 }],
    [
      'observed too short',
      { lastSessionUse: null, observedSince: 9001, silent: [] },
      { ok: false, reason: 'observed_too_short', notBefore: 10_001 },
    ],
    [
      'never observed',
      { lastSessionUse: null, observedSince: null, silent: [] },
      { ok: false, reason: 'observed_too_short', notBefore: null },
    ],
    [
      'one that is silent',
      { lastSessionUse: null, observedSince: 0, silent: ['auth 1'] },
      { ok: false, reason: 'instances_silent', notBefore: null },
    ],
    [
      'a use that is still to come',
      { lastSessionUse: 20_000, observedSince: 0, silent: [] },
      { ok: false, reason: 'used_recently', notBefore: 21_000 },
    ],
    [
      'times that are none',
      { lastSessionUse: Number.NaN, observedSince: 0, silent: [] },
      { ok: false, reason: 'used_recently', notBefore: Number.NaN },
    ],
  ] as const)('%s', (_, evidence, expected) => {
    expect(mayRetire({ ...evidence, observedUntil: NOW }, LIFE)).toEqual(expected);
  });

  it('says from when on it might be true, and then it is', () => {
    fc.assert(
      fc.property(fc.nat(20_000), fc.nat(20_000), fc.nat(5000), (lastSessionUse, observedSince, life) => {
        let now = 10_000;
        for (let asked = 0; asked < 3; asked++) {
          const verdict = mayRetire({ lastSessionUse, observedSince, observedUntil: now, silent: [] }, life);
          if (verdict.ok) break;
          expect(verdict.notBefore).toBeGreaterThan(now);
          now = verdict.notBefore ?? now;
        }
        expect(mayRetire({ lastSessionUse, observedSince, observedUntil: now, silent: [] }, life)).toEqual({ ok: true });
      }),
    );
  });
});
