import { ERROR_CODES, type ErrorCode } from '@wherry/core';

/** Why a token was refused. Each is an error code, so that it can be answered as a problem document. */
export type RefusalReason = Extract<ErrorCode, `token_${string}`>;

/** A token that was refused. Nothing of the token is in it. */
export interface Refused {
  readonly ok: false;
  readonly reason: RefusalReason;
  /** 401: the token is no good. 503: this instance cannot know. */
  readonly status: 401 | 503;
}

const REFUSALS = new Map<string, Refused>(
  Object.entries(ERROR_CODES)
    .filter(([code]) => code.startsWith('token_'))
    .map(([code, { status }]) => [code, Object.freeze({ ok: false, reason: code as RefusalReason, status: status === 503 ? 503 : 401 })]),
);

/** The refusal for a reason, always the same object: refusing allocates nothing. */
export function refused(reason: RefusalReason): Refused {
  const refusal = REFUSALS.get(reason);
  if (refusal === undefined) throw new Error(`no refusal is registered for ${reason}`);
  return refusal;
}
