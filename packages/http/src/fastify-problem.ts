import type { FastifyReply } from 'fastify';
import { BODY_HEADERS, problemAnswer, type ProblemOptions } from './problem-response.ts';

/** Answers with the problem document of whatever was thrown, through the framework's own hooks. */
export function replyProblem(reply: FastifyReply, thrown: unknown, options?: ProblemOptions): void {
  const { status, headers, body } = problemAnswer(thrown, options);
  for (const name of BODY_HEADERS) {
    reply.removeHeader(name);
    // The framework adds what was set below it.
    reply.raw.removeHeader(name);
  }
  // As bytes: to text the framework adds a charset, which this media type does not have (RFC 8259 section 11).
  reply.code(status).headers(headers).send(Buffer.from(body));
}
