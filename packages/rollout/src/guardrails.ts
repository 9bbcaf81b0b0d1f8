import { WherryError } from '@wherry/core';
import type { ArmFigures, RolloutFigures } from './figures.ts';
import { quantileEstimate } from './latency.ts';
import type { RolloutPhase } from './phase.ts';
import { differenceInterval, shareAtLeast } from './statistics.ts';

/** What is watched. */
export type GuardrailName =
  /** Share of 401 among requests, cohort less control. */
  | 'unauthorized'
  /** Share of renewals that failed. */
  | 'renewal'
  /** 99th percentile of the time for a request, cohort to control, less one. */
  | 'latency'
  /** Share of requests in which access token and session say different things. */
  | 'shadow'
  /** Log-ins after a forced sign-out by requests, cohort less control. */
  | 'signed_out';

/** Limits and least samples; shares are 0 … 1. */
export interface GuardrailLimits {
  /** How sure a breach must be, in standard deviations of the normal distribution. */
  readonly confidence: number;
  readonly unauthorized: number;
  readonly unauthorizedSample: number;
  readonly renewal: number;
  readonly renewalSample: number;
  readonly latency: number;
  readonly latencySample: number;
  readonly shadow: number;
  readonly shadowSample: number;
  readonly signedOut: number;
  readonly signedOutSample: number;
}

/**
 * The limits where nothing else is set. The confidence is far out because figures are looked at every few seconds: at
 * 3.29 (one in 2,000) a look that has nothing to find rarely finds something, and what it finds has to be confirmed.
 */
export const GUARDRAIL_LIMITS: GuardrailLimits = {
  confidence: 3.29,
  unauthorized: 0.001,
  unauthorizedSample: 1000,
  renewal: 0.005,
  renewalSample: 500,
  latency: 0.2,
  latencySample: 5000,
  shadow: 0.00001,
  shadowSample: 10_000,
  signedOut: 0.0001,
  signedOutSample: 1000,
};

/** What one guardrail says. */
export interface GuardrailFinding {
  readonly name: GuardrailName;
  /** `undecided`: the sample is too small to say anything, good or bad. */
  readonly verdict: 'ok' | 'breach' | 'undecided';
  /** What was seen of that which the limit is for; null without figures. */
  readonly seen: number | null;
  /** The least that it is, with confidence; a breach is when this is over the limit. */
  readonly atLeast: number | null;
  readonly limit: number;
  /** How many requests, renewals or comparisons were counted, and how many are needed of each. */
  readonly cohortSample: number;
  /** null where nothing is compared with. */
  readonly controlSample: number | null;
  readonly leastSample: number;
}

/**
 * What the guardrails say of a course: cohort against control for what varies with the time of day and the load, the
 * cohort alone for what should not happen at all. In `dual` there is no cohort yet, and the latter is judged of everybody.
 * Pure.
 */
export function evaluateGuardrails(
  figures: RolloutFigures,
  phase: RolloutPhase['phase'],
  limits: GuardrailLimits = GUARDRAIL_LIMITS,
): readonly GuardrailFinding[] {
  const { cohort, control } = figures;
  const alone = phase === 'dual' ? [figures.outside, control] : [cohort];
  const sum = (of: (arm: ArmFigures) => number): number => alone.reduce((total, arm) => total + of(arm), 0);
  return [
    compared('unauthorized', cohort, control, (arm) => arm.unauthorized, limits, limits.unauthorized, limits.unauthorizedSample),
    absolute(
      'renewal',
      sum((arm) => arm.renewalFailed),
      sum((arm) => arm.renewed + arm.renewalFailed),
      limits,
      limits.renewal,
      limits.renewalSample,
    ),
    slower(cohort, control, limits),
    absolute(
      'shadow',
      sum((arm) => arm.differed),
      sum((arm) => arm.compared),
      limits,
      limits.shadow,
      limits.shadowSample,
    ),
    compared('signed_out', cohort, control, (arm) => arm.signedOut, limits, limits.signedOut, limits.signedOutSample),
  ];
}

/** Checks limits that somebody sets. Errors: `bad_request`. */
export function checkLimits(limits: Partial<GuardrailLimits>): void {
  for (const [name, value] of Object.entries(limits)) {
    if (!Object.hasOwn(GUARDRAIL_LIMITS, name))
      throw new WherryError('bad_request', `there is no limit named ${name}; there are ${Object.keys(GUARDRAIL_LIMITS).join(', ')}`);
    const least = name.endsWith('Sample') ? 1 : 0;
    if (!(Number.isFinite(value) && value >= least))
      throw new WherryError('bad_request', `the limit ${name} is ${value}; allowed is ${least} or more`);
  }
}

function judged(finding: Omit<GuardrailFinding, 'verdict'>): GuardrailFinding {
  const { cohortSample, controlSample, leastSample, atLeast, limit } = finding;
  const enough = cohortSample >= leastSample && (controlSample === null || controlSample >= leastSample) && atLeast !== null;
  return { ...finding, verdict: !enough ? 'undecided' : atLeast > limit ? 'breach' : 'ok' };
}

function compared(
  name: GuardrailName,
  cohort: ArmFigures,
  control: ArmFigures,
  count: (arm: ArmFigures) => number,
  { confidence }: GuardrailLimits,
  limit: number,
  leastSample: number,
): GuardrailFinding {
  const [cohortSample, controlSample] = [decided(cohort), decided(control)];
  const known = cohortSample > 0 && controlSample > 0;
  // More log-ins than requests would be a share over 1.
  const [inCohort, inControl] = [Math.min(count(cohort), cohortSample), Math.min(count(control), controlSample)];
  return judged({
    name,
    seen: known ? inCohort / cohortSample - inControl / controlSample : null,
    atLeast: known ? differenceInterval(inCohort, cohortSample, inControl, controlSample, confidence).low : null,
    limit,
    cohortSample,
    controlSample,
    leastSample,
  });
}

function absolute(
  name: GuardrailName,
  count: number,
  total: number,
  { confidence }: GuardrailLimits,
  limit: number,
  leastSample: number,
): GuardrailFinding {
  return judged({
    name,
    seen: total > 0 ? count / total : null,
    atLeast: total > 0 ? shareAtLeast(count, total, confidence) : null,
    limit,
    cohortSample: total,
    controlSample: null,
    leastSample,
  });
}

/** Judged by the two bounds that lie nearest to each other: the least that the cohort's percentile is to the most that the control's is. */
function slower(cohort: ArmFigures, control: ArmFigures, { confidence, latency, latencySample }: GuardrailLimits): GuardrailFinding {
  const [slow, usual] = [quantileEstimate(cohort.latency, 0.99, confidence), quantileEstimate(control.latency, 0.99, confidence)];
  const known = slow !== undefined && usual !== undefined;
  return judged({
    name: 'latency',
    seen: known ? slow.value / usual.value - 1 : null,
    atLeast: known ? slow.low / usual.high - 1 : null,
    limit: latency,
    cohortSample: cohort.latency.reduce((sum, count) => sum + count, 0),
    controlSample: control.latency.reduce((sum, count) => sum + count, 0),
    leastSample: latencySample,
  });
}

/** Requests of which it is known whether they were let in: a 503 says nothing of the credential. */
function decided({ ok, unauthorized }: ArmFigures): number {
  return ok + unauthorized;
}
