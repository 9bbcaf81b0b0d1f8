import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inCohort } from './cohort.ts';
import type { RolloutPhase } from './phase.ts';
import { policyFor } from './policy.ts';

const phases: fc.Arbitrary<RolloutPhase> = fc.oneof(
  fc.constantFrom({ phase: 'stateful' } as const, { phase: 'dual' } as const),
  fc.nat(10_000).map((hundredths) => ({ phase: 'led', percent: hundredths / 100 }) as const),
);

describe('policyFor', () => {
  it('gives what each phase promises', () => {
    const of = (phase: RolloutPhase): unknown => policyFor({ ...phase, salt: 's' }, 'u');
    expect(of({ phase: 'stateful' })).toEqual({ acceptSessions: true, acceptJwts: true, issueJwts: false, leadToJwt: false });
    expect(of({ phase: 'dual' })).toEqual({ acceptSessions: true, acceptJwts: true, issueJwts: true, leadToJwt: false });
    expect(of({ phase: 'led', percent: 0 })).toEqual({ acceptSessions: true, acceptJwts: true, issueJwts: true, leadToJwt: false });
    expect(of({ phase: 'led', percent: 100 })).toEqual({ acceptSessions: true, acceptJwts: true, issueJwts: true, leadToJwt: true });
  });

  it('never lets one instance give out what an instance in any other phase turns away', () => {
    fc.assert(
      fc.property(phases, phases, fc.string(), (issuing, accepting, userId) => {
        const issuer = policyFor({ ...issuing, salt: 's' }, userId);
        const verifier = policyFor({ ...accepting, salt: 's' }, userId);
        if (issuer.issueJwts) expect(verifier.acceptJwts).toBe(true);
        expect(verifier.acceptSessions).toBe(true);
        if (issuer.leadToJwt) expect(issuer.issueJwts).toBe(true);
      }),
    );
  });

  it('leads the cohort and nobody else', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.nat(100), (salt, userId, percent) => {
        expect(policyFor({ phase: 'led', percent, salt }, userId).leadToJwt).toBe(inCohort(salt, userId, percent));
      }),
    );
  });
});
