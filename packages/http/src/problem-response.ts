import type { ServerResponse } from 'node:http';
import { asWherryError, problemOf } from '@wherry/core';

/** Options of {@link sendProblem}. */
export interface ProblemOptions {
  /** False: the request had no credential at all, and a 401 then only names the scheme (RFC 6750 section 3). Default true. */
  readonly credentialPresented?: boolean;
}

/** A problem document ready to be sent, header names in lower case. */
export interface ProblemAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Headers that a route has set for its own answer (encoding, entity tag), and that would be untrue of a problem. */
export const BODY_HEADERS: ReadonlySet<string> = new Set([
  'content-encoding',
  'content-language',
  'content-location',
  'content-range',
  'etag',
  'last-modified',
  'transfer-encoding',
]);

/**
 * The problem document (RFC 9457) of whatever was thrown; what is not ours tells no more than `internal`. Has Retry-After
 * where the error knows when a repeat makes sense, and the challenge of RFC 6750 with a 401.
 */
export function problemAnswer(thrown: unknown, options: ProblemOptions = {}): ProblemAnswer {
  const error = asWherryError(thrown);
  const body = JSON.stringify(problemOf(error));
  const challenge = options.credentialPresented === false ? 'Bearer' : 'Bearer error="invalid_token"';
  return {
    status: error.status,
    headers: {
      'content-type': 'application/problem+json',
      'content-length': String(Buffer.byteLength(body)),
      'cache-control': 'no-store',
      ...(error.retryAfter === undefined ? {} : { 'retry-after': String(Math.max(0, Math.ceil(error.retryAfter))) }),
      ...(error.status === 401 ? { 'www-authenticate': challenge } : {}),
    },
    body,
  };
}

/**
 * Answers with the problem document of whatever was thrown. When an answer is already on its way the connection is cut,
 * so that the client cannot take a part for the whole.
 */
export function sendProblem(response: ServerResponse, thrown: unknown, options: ProblemOptions = {}): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const { status, headers, body } = problemAnswer(thrown, options);
  for (const name of response.getHeaderNames()) if (BODY_HEADERS.has(name)) response.removeHeader(name);
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  // To HEAD node:http sends the headers only.
  response.end(body);
}
