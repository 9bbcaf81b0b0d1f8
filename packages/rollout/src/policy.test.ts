import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bucketOf, inCohort, inHoldOut } from './cohort.ts';
import type { RolloutPhase } from './phase.ts';
import { narrows, policiesOf, policyFor, withoutLease, type RolloutCourse, type RolloutPolicy } from './policy.ts';

const phases: fc.Arbitrary<RolloutPhase> = fc.oneof(
  fc.constantFrom<RolloutPhase[]>(
    { phase: 'stateful' },
    { phase: 'dual' },
    { phase: 'preferred' },
    { phase: 'drain' },
    { phase: 'retired' },
  ),
  fc.nat(10_000).map((hundredths) => ({ phase: 'led', percent: hundredths / 100 }) as const),
);
const rest = { settled: true, retreating: false, quietMs: 1000 } as const;
const courses: fc.Arbitrary<RolloutCourse> = fc
  .tuple(phases, fc.boolean(), fc.boolean())
  .map(([phase, settled, retreating]) => ({ ...phase, settled, retreating, quietMs: 1000 }));
const words = ({ acceptSessions, issueJwts, issueSessions, leadToJwt, minimum }: RolloutPolicy): string =>
  [acceptSessions && 'accepts', issueSessions && 'sessions', issueJwts && 'jwts', leadToJwt && 'leads', minimum].filter(Boolean).join(' ');

describe('policiesOf', () => {
  it.each<[RolloutPhase, boolean, string, string]>([
    [{ phase: 'stateful' }, true, 'accepts sessions any', 'accepts sessions any'],
    [{ phase: 'dual' }, true, 'accepts sessions jwts any', 'accepts sessions jwts any'],
    [{ phase: 'led', percent: 1 }, true, 'accepts sessions jwts leads preferred', 'accepts sessions jwts any'],
    [{ phase: 'preferred' }, true, 'accepts sessions jwts leads preferred', 'accepts sessions jwts any'],
    [{ phase: 'drain' }, false, 'accepts jwts leads preferred', 'accepts jwts leads preferred'],
    [{ phase: 'drain' }, true, 'accepts jwts leads only', 'accepts jwts leads only'],
    [{ phase: 'retired' }, true, 'jwts leads only', 'jwts leads only'],
  ])('gives what %j, settled %s, promises', (phase, settled, cohort, others) => {
    const policies = policiesOf({ ...phase, ...rest, settled });
    expect(Object.values(policies).map(words)).toEqual([cohort, others, others]);
    expect(Object.entries(policies).every(([arm, policy]) => policy.arm === arm && policy.acceptJwts)).toBe(true);
  });

  it('gives a new session token at renewals on the way back, where session tokens are given out at all', () => {
    for (const retreating of [false, true]) {
      const minted = (phase: RolloutPhase): boolean => policiesOf({ ...phase, ...rest, retreating }).cohort.renewalMintsSession;
      expect([minted({ phase: 'stateful' }), minted({ phase: 'dual' }), minted({ phase: 'preferred' })]).toEqual([
        retreating,
        retreating,
        retreating,
      ]);
      expect([minted({ phase: 'drain' }), minted({ phase: 'retired' })]).toEqual([false, false]);
    }
  });

  it('widens all that it accepts when the lease is lost, and gives out no session token', () => {
    fc.assert(
      fc.property(courses, (course) => {
        const [with_, without] = [policiesOf(course).cohort, withoutLease(policiesOf(course)).cohort];
        expect(without).toMatchObject({
          issueSessions: false,
          issueRenewals: false,
          renewalMintsSession: false,
          issueJwts: with_.issueJwts,
        });
        expect(without.minimum).toBe(course.phase === 'retired' ? 'only' : 'any');
        expect(without.acceptSessions).toBe(course.phase !== 'retired');
      }),
    );
  });
});

describe('narrows', () => {
  it('sees the steps that take something away, and no other', () => {
    const of = (phase: RolloutPhase, settled = true): RolloutCourse => ({ ...phase, ...rest, settled });
    const led = of({ phase: 'led', percent: 5 });
    expect(narrows(of({ phase: 'stateful' }), of({ phase: 'dual' }))).toBe(false);
    expect(narrows(led, of({ phase: 'preferred' }))).toBe(false);
    expect(narrows(led, of({ phase: 'dual' }))).toBe(false);
    expect(narrows(of({ phase: 'drain' }), of({ phase: 'preferred' }))).toBe(false);
    expect(narrows(of({ phase: 'dual' }), of({ phase: 'stateful' }, false))).toBe(true);
    expect(narrows(of({ phase: 'preferred' }), of({ phase: 'drain' }, false))).toBe(true);
    expect(narrows(of({ phase: 'drain' }, false), of({ phase: 'drain' }))).toBe(true);
    expect(narrows(of({ phase: 'drain' }), of({ phase: 'retired' }))).toBe(true);
    expect(narrows(of({ phase: 'drain' }), { ...of({ phase: 'drain' }), quietMs: 999 })).toBe(true);
    expect(narrows(of({ phase: 'drain' }), { ...of({ phase: 'drain' }), quietMs: 1001 })).toBe(false);
    expect(narrows(of({ phase: 'preferred' }), { ...of({ phase: 'preferred' }), quietMs: 0 })).toBe(false);
  });
});

describe('policyFor', () => {
  it('leads the cohort and nobody else, and holds out whom it compares with', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.nat(100), (salt, userId, percent) => {
        const bucket = bucketOf(salt, userId);
        const led = policyFor({ ...rest, phase: 'led', percent, salt, holdOut: 1 }, userId);
        expect(led.leadToJwt).toBe(inCohort(bucket, percent) && !inHoldOut(bucket, 1));
        const preferred = policyFor({ ...rest, phase: 'preferred', salt, holdOut: 1 }, userId);
        expect(preferred.arm).toBe(inHoldOut(bucket, 1) ? 'control' : 'cohort');
        expect(policyFor({ ...rest, phase: 'drain', salt, holdOut: 1 }, userId).arm).toBe('cohort');
      }),
    );
  });

  it('spares whom a list excludes while users are led by percentage, and no longer', () => {
    const lists = { users: new Map([['u', 'exclude'] as const]), clients: new Map([['c', 'include'] as const]) };
    const arm = (phase: RolloutPhase, userId: string, clientId?: string): string =>
      policyFor({ ...rest, ...phase, salt: 's', holdOut: 0 }, userId, clientId, lists).arm;
    expect(arm({ phase: 'led', percent: 100 }, 'u', 'c')).toBe('outside');
    expect(arm({ phase: 'led', percent: 0 }, 'v', 'c')).toBe('cohort');
    expect(arm({ phase: 'led', percent: 0 }, 'v')).toBe('outside');
    expect(arm({ phase: 'preferred' }, 'u')).toBe('cohort');
    expect(arm({ phase: 'dual' }, 'v', 'c')).toBe('outside');
  });
});
