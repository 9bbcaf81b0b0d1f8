import type { SessionData } from 'express-session';

const DAY_MS = 86_400_000;

/** The stores whose way of computing a session's life is known. */
export type StoreLayout = 'connect-redis' | 'connect-dynamodb' | 'connect-mongo';

/** What of a store's options decides about the life of its sessions. */
export interface StoreLife {
  readonly layout: StoreLayout;
  /** connect-redis: seconds, or a function of the session. connect-mongo: seconds. */
  readonly ttl?: number | ((session: SessionData) => number);
  /** connect-redis: sessions never expire at the store. */
  readonly disableTTL?: boolean;
}

/**
 * Milliseconds that a session lives from now, as its store computes them, null for ever: connect-redis 10 rounds the
 * cookie's time up to seconds and falls back on its `ttl`; connect-mongo 6 does so without rounding; connect-dynamodb 3
 * takes the cookie's maxAge, else a day.
 */
export function sessionTtlMs(session: SessionData, life: StoreLife): number | null {
  if (life.layout === 'connect-dynamodb') {
    const { maxAge } = session.cookie;
    return typeof maxAge === 'number' ? maxAge : DAY_MS;
  }
  if (life.disableTTL === true) return null;
  if (typeof life.ttl === 'function') return life.ttl(session) * 1000;
  const { expires } = session.cookie;
  if (expires) {
    const ms = new Date(expires).getTime() - Date.now();
    return life.layout === 'connect-mongo' ? ms : Math.ceil(ms / 1000) * 1000;
  }
  return (life.ttl ?? 86_400) * 1000;
}
