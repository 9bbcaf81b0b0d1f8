import { WherryError } from '@wherry/core';
import { rateFields, type RateState } from '@wherry/http/rate-limits';
import { Answer } from '../answer.ts';
import { refusalOf, type CredentialKind, type Refusal } from '../outcome.ts';

/** What a 429 tells. */
export interface Throttling {
  readonly kind: CredentialKind;
  /** A word for what was counted. */
  readonly policy: string;
  readonly states: readonly RateState[];
  readonly waitMs: number;
}

/**
 * The refusal of what came too often: 429 with Retry-After and the RateLimit fields (RFC 6585 section 4). It says
 * nothing of the credential, which was not looked at or holds.
 */
export function throttled({ kind, policy, states, waitMs }: Throttling): Refusal {
  const error = new WherryError('rate_limited', 'too many requests; try again later', {
    retryAfter: Math.max(1, Math.ceil(waitMs / 1000)),
  });
  const refused = refusalOf(kind, error);
  const { status, headers, body } = refused.answer;
  return { ...refused, answer: new Answer(status, [...headers, ...Object.entries(rateFields(policy, states)).flat()], body) };
}
