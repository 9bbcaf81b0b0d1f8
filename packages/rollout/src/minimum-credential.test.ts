import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { enforcedMinimum, type CredentialEvidence, type MinimumCredential } from './minimum-credential.ts';

const QUIET = 1000;
const RANK: readonly MinimumCredential[] = ['any', 'preferred', 'only'];

describe('enforcedMinimum', () => {
  it.each<[string, CredentialEvidence | undefined, MinimumCredential]>([
    ['a client of which nothing is known', undefined, 'preferred'],
    ['a client that never presented what it was given', { provedAt: null, sessionTokenUsedAt: null }, 'preferred'],
    ['a client that uses session tokens alone', { provedAt: null, sessionTokenUsedAt: 1 }, 'preferred'],
    ['a client that proved it just now', { provedAt: 9001, sessionTokenUsedAt: null }, 'preferred'],
    ['a client that proved it and was quiet since', { provedAt: 9000, sessionTokenUsedAt: null }, 'only'],
    ['a client that used the session token after the proof', { provedAt: 1, sessionTokenUsedAt: 9001 }, 'preferred'],
    ['a client that used it long ago', { provedAt: 1, sessionTokenUsedAt: 9000 }, 'only'],
    ['a client that used it before the proof', { provedAt: 9001, sessionTokenUsedAt: 1 }, 'preferred'],
  ])('in drain, of %s', (_, evidence, expected) => {
    expect(enforcedMinimum({ minimum: 'only', quietMs: QUIET }, evidence, 10_000)).toBe(expected);
  });

  it('is never over the policy, and refuses nobody without proof and quiet', () => {
    const time = fc.option(fc.integer({ min: -5000, max: 20_000 }));
    fc.assert(
      fc.property(
        fc.constantFrom(...RANK),
        time,
        time,
        fc.nat(3000),
        fc.integer({ min: 0, max: 15_000 }),
        (minimum, provedAt, sessionTokenUsedAt, quietMs, now) => {
          const enforced = enforcedMinimum({ minimum, quietMs }, { provedAt, sessionTokenUsedAt }, now);
          expect(RANK.indexOf(enforced)).toBeLessThanOrEqual(RANK.indexOf(minimum));
          const quiet =
            provedAt !== null && now - provedAt >= quietMs && (sessionTokenUsedAt === null || now - sessionTokenUsedAt >= quietMs);
          expect(enforced === 'only').toBe(minimum === 'only' && quiet);
        },
      ),
    );
  });

  it('lets times that lie ahead count as just now', () => {
    expect(enforcedMinimum({ minimum: 'only', quietMs: 0 }, { provedAt: 3_610_000, sessionTokenUsedAt: null }, 10_000)).toBe('preferred');
  });
});
