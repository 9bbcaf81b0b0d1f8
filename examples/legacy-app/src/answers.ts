import type { ErrorRequestHandler, Request, Response } from 'express';

/** The oldest go when there are more in a cart. */
export const MOST_CART_ITEMS = 20;

/** Answers a request that asks for something impossible. */
export function refuse(response: Response, error: string): void {
  response.status(400).json({ error });
}

/** Answers a request from nobody. */
export function unauthenticated(response: Response): void {
  response.status(401).json({ error: 'unauthenticated' });
}

/** The body as an object; empty where it is none. */
export function bodyOf(request: Request): Record<string, unknown> {
  const body: unknown = request.body;
  return typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {};
}

/** True for a whole number from `least` to `most`. */
export function isWhole(value: unknown, least: number, most: number): value is number {
  return Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
}

/** A request that Express could not read says so itself; everything else that can fail here is the session store: try again. */
export const answerError: ErrorRequestHandler = (error: unknown, _request, response, _next) => {
  if (response.headersSent) {
    // express-session reports a failed touch while the answer is already on its way; only an unfinished stream must break off.
    if (!response.writableEnded && response.getHeader('content-length') === undefined) response.destroy();
    return;
  }
  const { expose, status } = (error ?? {}) as { expose?: unknown; status?: unknown };
  if (expose === true && isWhole(status, 400, 499)) response.status(status).json({ error: 'bad_request' });
  else response.status(503).set('retry-after', '1').json({ error: 'store_unavailable' });
};
