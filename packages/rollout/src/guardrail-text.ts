import type { GuardrailFinding } from './guardrails.ts';

const WHAT = {
  unauthorized: '401 rate of the cohort less the control',
  renewal: 'renewals that failed',
  latency: 'p99 of the cohort over the control',
  shadow: 'differences between token and session',
  signed_out: 'log-ins after a forced sign-out, cohort less control',
} as const;

/** A finding in one line for people and the audit log. */
export function guardrailText({ name, seen, atLeast, limit, cohortSample, controlSample, leastSample, verdict }: GuardrailFinding): string {
  const sample = controlSample === null ? `${cohortSample}` : `${cohortSample} against ${controlSample}`;
  if (verdict === 'undecided') return `${WHAT[name]}: no verdict, ${sample} of ${leastSample} seen`;
  return `${WHAT[name]}: ${percent(seen)}, at least ${percent(atLeast)}, limit ${percent(limit)} (${sample})`;
}

function percent(share: number | null): string {
  return share === null ? 'unknown' : `${Number((share * 100).toPrecision(3))} %`;
}
