import { ERROR_CODES, WherryError, problemOf, type ErrorCode } from '@wherry/core';
import { Answer } from './answer.ts';
import type { Caller } from './caller.ts';
import { NO_HEADERS, withResponseHeaders, type ResponseHeaders } from './respond.ts';

/** By which kind of credential a request was judged. */
export type CredentialKind = 'jwt' | 'session_token' | 'cookie' | 'unknown' | 'none';

/** What a request's credential came to. */
export type Outcome = Caller | Refusal;

/** Why a request has no signed-in user. Nothing of the credential is in it. */
export interface Refusal {
  readonly ok: false;
  readonly kind: CredentialKind;
  readonly code: ErrorCode;
  /** Ready to be written: refusing must not cost more than accepting. 401: the credential is no good, or there is none. 503: this instance cannot know. 400: it cannot be judged as it came. */
  readonly answer: Answer;
  /** What goes back to the client, in `answer` already; also where the request goes on as from nobody. */
  readonly respond: ResponseHeaders;
}

const ready = new Map<string, Refusal>();

/** The refusal for a kind of credential and a code, always the same object. */
export function refusal(kind: CredentialKind, code: ErrorCode): Refusal {
  const known = ready.get(`${kind} ${code}`);
  if (known !== undefined) return known;
  const made = refusalOf(kind, new WherryError(code, ERROR_CODES[code].meaning));
  ready.set(`${kind} ${code}`, made);
  return made;
}

/** The refusal that answers an error. */
export function refusalOf(kind: CredentialKind, error: WherryError): Refusal {
  const { code, status, retryAfter } = error;
  // Characters and bytes are then the same number, however it is written: a length that is not that of the body would
  // shift all that comes after it on the connection.
  const body = JSON.stringify(problemOf(error)).replaceAll(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
  const headers = [
    'Content-Type',
    'application/problem+json',
    'Content-Length',
    String(body.length),
    'Cache-Control',
    'no-store',
    'X-Wherry-Reason',
    code,
  ];
  if (status === 401) headers.push('WWW-Authenticate', challengeOf(kind, code));
  if (status === 400) headers.push('WWW-Authenticate', 'Bearer error="invalid_request"');
  if (retryAfter !== undefined) headers.push('Retry-After', String(Math.max(0, Math.ceil(retryAfter))));
  return Object.freeze({ ok: false, kind, code, answer: new Answer(status, headers, body), respond: NO_HEADERS });
}

/** RFC 6750 section 3, RFC 9449 section 7.1. Who sent no credential is told the scheme only. */
function challengeOf(kind: CredentialKind, code: ErrorCode): string {
  if (code.startsWith('dpop_')) return 'DPoP error="invalid_dpop_proof"';
  if (code === 'token_bound') return 'DPoP error="invalid_token"';
  return kind === 'none' ? 'Bearer' : 'Bearer error="invalid_token"';
}

/** The refusal of one request, whose answer carries these headers back as well: to take a credential away, for instance. */
export function refusalResponding(refused: Refusal, headers: ResponseHeaders): Refusal {
  const { status, headers: own, body } = refused.answer;
  return { ...refused, answer: new Answer(status, withResponseHeaders(own, headers), body), respond: headers };
}

/**
 * True where a request that may come from nobody counts as one: it has no credential, or a cookie that is no longer
 * good. Browsers send cookies by themselves, and one that has run out must not keep its owner from the log-in page. A
 * bearer credential was sent on purpose and is judged finally.
 */
export function countsAsNobody({ kind, answer }: Refusal): boolean {
  return answer.status === 401 && (kind === 'none' || kind === 'cookie');
}
