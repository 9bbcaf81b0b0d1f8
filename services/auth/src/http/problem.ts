import { WherryError, asWherryError, problemOf, type ErrorCode } from '@wherry/core';
import type { FastifyError, FastifyReply } from 'fastify';

/** Longest piece of a request that is quoted back, in characters. */
const QUOTED = 64;

/** Whatever was thrown, as an error with a code: the framework's refusals get theirs, what is unknown is `internal`. */
export function faultOf(thrown: unknown): WherryError {
  if (!isFrameworkError(thrown)) return asWherryError(thrown);
  const { code, statusCode = 500, validation } = thrown;
  if (validation?.[0] !== undefined) {
    const { instancePath, message = 'is not as documented', params } = validation[0];
    const extra = typeof params['additionalProperty'] === 'string' ? ` ("${params['additionalProperty'].slice(0, QUOTED)}")` : '';
    return new WherryError('bad_request', `${thrown.validationContext ?? 'body'}${instancePath} ${message}${extra}`);
  }
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE')
    return new WherryError('media_type_unsupported', 'the body has a media type that is not accepted here');
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return new WherryError('body_too_large', 'the body is larger than is accepted here');
  // The parser's own message quotes the body.
  if (statusCode >= 400 && statusCode < 500) return new WherryError('bad_request', 'the request or its body cannot be read');
  return asWherryError(thrown);
}

/** The status line and headers that go with an error: Retry-After, and a challenge with every 401 (RFC 9110 section 15.5.2). */
export function errorHead(reply: FastifyReply, error: WherryError, status: number = error.status): FastifyReply {
  reply.code(status).header('cache-control', 'no-store');
  if (error.retryAfter !== undefined) reply.header('retry-after', String(Math.max(0, Math.ceil(error.retryAfter))));
  if (status === 401) reply.header('www-authenticate', challengeFor(error.code));
  return reply;
}

/** Answers with the problem document (RFC 9457) of `error`. */
export function sendProblem(reply: FastifyReply, error: WherryError): FastifyReply {
  // As bytes: to text the framework adds a charset, which this media type does not have (RFC 8259 section 11).
  const body = Buffer.from(JSON.stringify(problemOf(error)));
  return errorHead(reply, error).type('application/problem+json').send(body);
}

function challengeFor(code: ErrorCode): string {
  if (code === 'client_unauthenticated') return 'Basic realm="wherry", charset="UTF-8"';
  // RFC 9449 section 7.1.
  if (code === 'dpop_nonce_required') return 'DPoP error="use_dpop_nonce"';
  if (code.startsWith('dpop_')) return 'DPoP error="invalid_dpop_proof"';
  // Without a credential the challenge names the scheme alone (RFC 6750 section 3.1).
  return code === 'unauthenticated' || code === 'login_failed' ? 'Bearer' : 'Bearer error="invalid_token"';
}

function isFrameworkError(thrown: unknown): thrown is FastifyError {
  return (
    thrown instanceof Error &&
    'code' in thrown &&
    typeof thrown.code === 'string' &&
    (thrown.code.startsWith('FST_') || 'statusCode' in thrown)
  );
}
