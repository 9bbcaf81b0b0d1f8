import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { noFigures, type ArmFigures, type RolloutFigures } from './figures.ts';
import { GUARDRAIL_LIMITS, checkLimits, evaluateGuardrails, type GuardrailName } from './guardrails.ts';
import { LATENCY_CLASSES, latencyClass } from './latency.ts';

type Some = Partial<Omit<ArmFigures, 'latency'>> & { readonly ms?: number; readonly slowMs?: number };

/** Figures of an arm: of its requests 98 % take `ms`, the rest `slowMs`. */
function arm({ ms, slowMs = ms, ...counts }: Some): ArmFigures {
  const latency = Array.from({ length: LATENCY_CLASSES }, () => 0);
  const total = (counts.ok ?? 0) + (counts.unauthorized ?? 0);
  if (ms !== undefined) latency[latencyClass(ms)] = Math.round(total * 0.98);
  if (slowMs !== undefined) latency[latencyClass(slowMs)] = (latency[latencyClass(slowMs)] ?? 0) + Math.round(total * 0.02);
  return { ...noFigures(), ...counts, latency };
}

const figures = (cohort: Some, control: Some = {}, outside: Some = {}): RolloutFigures => ({
  cohort: arm(cohort),
  control: arm(control),
  outside: arm(outside),
});
function verdict(
  name: GuardrailName,
  of: RolloutFigures,
  phase: 'dual' | 'led' | 'drain' = 'led',
  limits = GUARDRAIL_LIMITS,
): string | undefined {
  return evaluateGuardrails(of, phase, limits).find((finding) => finding.name === name)?.verdict;
}

describe('evaluateGuardrails', () => {
  it('says nothing, good or bad, without figures', () => {
    expect(evaluateGuardrails(figures({}), 'led').map((finding) => finding.verdict)).toEqual(Array.from({ length: 5 }, () => 'undecided'));
  });

  it.each<[string, Some, Some, string]>([
    ['too few in the cohort, all refused', { unauthorized: 999 }, { ok: 100_000 }, 'undecided'],
    ['too few in the control', { ok: 100, unauthorized: 100_000 }, { ok: 999 }, 'undecided'],
    ['the same rate in both', { ok: 98_000, unauthorized: 2000 }, { ok: 9800, unauthorized: 200 }, 'ok'],
    ['0.1 points more, exactly', { ok: 98_900, unauthorized: 1100 }, { ok: 99_000, unauthorized: 1000 }, 'ok'],
    ['0.4 points more of many', { ok: 99_400, unauthorized: 600 }, { ok: 99_800, unauthorized: 200 }, 'breach'],
    ['0.4 points more of few: may be chance', { ok: 1988, unauthorized: 12 }, { ok: 1996, unauthorized: 4 }, 'ok'],
    ['a cohort that does better', { ok: 100_000 }, { ok: 90_000, unauthorized: 10_000 }, 'ok'],
    ['503 counts for nothing', { ok: 100_000, unavailable: 90_000 }, { ok: 100_000 }, 'ok'],
  ])('401 rate: %s', (_, cohort, control, expected) => {
    expect(verdict('unauthorized', figures(cohort, control))).toBe(expected);
  });

  it.each<[string, Some, string]>([
    ['too few', { renewed: 0, renewalFailed: 499 }, 'undecided'],
    ['0.5 %', { renewed: 9950, renewalFailed: 50 }, 'ok'],
    ['0.7 % of 10,000: not sure', { renewed: 9937, renewalFailed: 63 }, 'ok'],
    ['1 % of 10,000', { renewed: 9900, renewalFailed: 100 }, 'breach'],
    ['3 % of 500', { renewed: 485, renewalFailed: 15 }, 'breach'],
  ])('renewals: %s', (_, cohort, expected) => {
    expect(verdict('renewal', figures(cohort))).toBe(expected);
  });

  it.each<[string, Some, Some, string]>([
    ['too few', { ok: 4999, ms: 900 }, { ok: 50_000, ms: 1 }, 'undecided'],
    ['alike', { ok: 50_000, ms: 2 }, { ok: 50_000, ms: 2 }, 'ok'],
    ['9 % slower', { ok: 50_000, ms: 2.18 }, { ok: 50_000, ms: 2 }, 'ok'],
    ['twice as slow in the last two percent only', { ok: 50_000, ms: 2, slowMs: 8 }, { ok: 50_000, ms: 2, slowMs: 4 }, 'breach'],
    ['faster', { ok: 50_000, ms: 1 }, { ok: 50_000, ms: 2 }, 'ok'],
  ])('p99: %s', (_, cohort, control, expected) => {
    expect(verdict('latency', figures(cohort, control))).toBe(expected);
  });

  it.each<[number, number, string]>([
    [9999, 9999, 'undecided'],
    [100_000, 1, 'ok'],
    [1_000_000, 10, 'ok'],
    [1_000_000, 40, 'breach'],
    [10_000, 3, 'breach'],
  ])('shadow: of %i compared %i differ', (compared, differed, expected) => {
    expect(verdict('shadow', figures({ compared, differed }))).toBe(expected);
  });

  it('counts log-ins after a forced sign-out against those of the control', () => {
    expect(verdict('signed_out', figures({ ok: 100_000, signedOut: 60 }, { ok: 100_000, signedOut: 5 }))).toBe('breach');
    expect(verdict('signed_out', figures({ ok: 100_000, signedOut: 12 }, { ok: 100_000, signedOut: 10 }))).toBe('ok');
    // More log-ins than requests: nonsense from outside must not become NaN.
    expect(verdict('signed_out', figures({ ok: 2000, signedOut: 9000 }, { ok: 2000 }))).toBe('breach');
  });

  it('judges everybody in dual, where there is no cohort, and the cohort alone in drain', () => {
    const bad = { renewed: 5000, renewalFailed: 5000 };
    expect(verdict('renewal', figures({}, {}, bad), 'dual')).toBe('breach');
    expect(verdict('renewal', figures({}, {}, bad), 'led')).toBe('undecided');
    expect(verdict('unauthorized', figures({ ok: 1, unauthorized: 100_000 }), 'drain')).toBe('undecided');
  });

  it('goes by the limits that are set', () => {
    const of = figures({ ok: 15, unauthorized: 15 }, { ok: 30 });
    expect(verdict('unauthorized', of)).toBe('undecided');
    expect(verdict('unauthorized', of, 'led', { ...GUARDRAIL_LIMITS, unauthorizedSample: 30, confidence: 2 })).toBe('breach');
    expect(() => checkLimits({ unauthorized: 0, unauthorizedSample: 1 })).not.toThrow();
    for (const wrong of [{ unauthorizedSample: 0 }, { shadow: -1 }, { latency: Number.NaN }, { nonesuch: 1 }])
      expect(() => checkLimits(wrong)).toThrow(expect.objectContaining({ code: 'bad_request' }));
  });

  it('rarely finds what is not there, however often it looks, and soon finds what is', () => {
    const random = uniform('guardrails');
    const events = (tries: number, chance: number): number => {
      // By gaps between events: as many draws as there are events.
      let count = 0;
      for (let at = gap(random, chance); at < tries; at += 1 + gap(random, chance)) count++;
      return count;
    };
    /** At which of 60 looks, each with 500 requests more in the cohort and 250 in the control, a breach is found. */
    const foundAt = (inCohort: number, inControl: number): number | undefined => {
      let [cohort, control] = [0, 0];
      for (let n = 1; n <= 60; n++) {
        cohort += events(500, inCohort);
        control += events(250, inControl);
        const of = figures({ ok: n * 500 - cohort, unauthorized: cohort }, { ok: n * 250 - control, unauthorized: control });
        if (verdict('unauthorized', of) === 'breach') return n;
      }
      return undefined;
    };
    const courses = Array.from({ length: 300 }, (_, n) => n);
    expect(courses.filter(() => foundAt(0.01, 0.01) !== undefined).length).toBeLessThanOrEqual(3);
    expect(courses.filter(() => foundAt(0.03, 0.01) !== undefined).length).toBeGreaterThanOrEqual(295);
  });
});

/** Uniform numbers from 0 to 1 that follow from a seed, so that the courses are the same in every run. */
function uniform(seed: string): () => number {
  let drawn: number[] = [];
  let blocks = 0;
  return () => {
    if (drawn.length === 0) {
      const block = createHash('sha256').update(`${seed} ${blocks++}`).digest();
      drawn = Array.from({ length: 8 }, (_, n) => block.readUInt32BE(n * 4) / 2 ** 32);
    }
    return drawn.pop() ?? 0;
  };
}

/** Tries before the next success: geometrically distributed. */
function gap(random: () => number, chance: number): number {
  return Math.floor(Math.log1p(-random()) / Math.log1p(-chance));
}
