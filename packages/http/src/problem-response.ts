import type { ServerResponse } from 'node:http';
import { asWherryError, problemOf } from '@wherry/core';

/** Options of {@link sendProblem}. */
export interface ProblemOptions {
  /** False: the request had no credential at all, and a 401 then only names the scheme (RFC 6750 section 3). Default true. */
  readonly credentialPresented?: boolean;
}

/**
 * Answers with the problem document (RFC 9457) of whatever was thrown; what is not ours tells no more than `internal`.
 * Adds Retry-After where the error knows when a repeat makes sense, and the challenge of RFC 6750 to a 401. When an
 * answer is already on its way the connection is cut, so that the client cannot take a part for the whole.
 */
export function sendProblem(response: ServerResponse, thrown: unknown, options: ProblemOptions = {}): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const error = asWherryError(thrown);
  const body = JSON.stringify(problemOf(error));
  // What the route had set was for its own answer (length, encoding, entity tag), not for this one.
  for (const name of response.getHeaderNames()) if (BODY_HEADERS.has(name)) response.removeHeader(name);
  response.statusCode = error.status;
  response.setHeader('Content-Type', 'application/problem+json');
  response.setHeader('Content-Length', Buffer.byteLength(body));
  response.setHeader('Cache-Control', 'no-store');
  if (error.retryAfter !== undefined) response.setHeader('Retry-After', String(Math.max(0, Math.ceil(error.retryAfter))));
  if (error.status === 401) {
    response.setHeader('WWW-Authenticate', options.credentialPresented === false ? 'Bearer' : 'Bearer error="invalid_token"');
  }
  // To HEAD node:http sends the headers only.
  response.end(body);
}

const BODY_HEADERS = new Set([
  'content-encoding',
  'content-language',
  'content-location',
  'content-range',
  'etag',
  'last-modified',
  'transfer-encoding',
]);
