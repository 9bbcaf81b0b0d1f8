import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import session from 'express-session';
import { userNumber, type User } from './directory.ts';
import { identityOf } from './identity.ts';
import { signSessionId } from './session-cookie.ts';

/** One seeded session, as a line of the answer. */
export interface SeededSession {
  /** The cookie's value, not percent-encoded. A bearer secret. */
  readonly cookie: string;
  readonly userId: string;
  readonly name: string;
  readonly authorities: readonly string[];
  /** Epoch milliseconds. */
  readonly expiresAt: number;
  /** Idle life: how far a touch moves the expiry, milliseconds. */
  readonly ttlMs: number;
}

/** Options of {@link seedSessions}. */
export interface SeedOptions {
  readonly store: session.Store;
  readonly secret: string;
  /** Number of the first user. */
  readonly from: number;
  /** How many users, one session each. */
  readonly count: number;
  readonly idleMs: number;
  /** Sessions written at the same time; default 48. */
  readonly concurrency?: number;
}

/** Signs users in through the application's own store and writes one JSON line for each. Stops at the first failure; what was written stays. */
export async function seedSessions(out: Writable, options: SeedOptions): Promise<void> {
  let next = options.from;
  const end = options.from + options.count;
  const worker = async (): Promise<void> => {
    while (next < end && !out.destroyed) {
      const seeded = await signIn(userNumber(next++), options);
      if (!out.write(`${JSON.stringify(seeded)}\n`) && !out.destroyed) await Promise.race([once(out, 'drain'), once(out, 'close')]);
    }
  };
  // Each worker waits for `drain` on the same stream.
  const concurrency = options.concurrency ?? 48;
  out.setMaxListeners(2 * concurrency + 10);
  await Promise.all(Array.from({ length: concurrency }, worker));
}

async function signIn(user: User, { store, secret, idleMs }: SeedOptions): Promise<SeededSession> {
  const sid = randomBytes(24).toString('base64url');
  const cookie = new session.Cookie();
  cookie.maxAge = idleMs;
  cookie.originalMaxAge = idleMs;
  const expiresAt = cookie.expires?.getTime() ?? Date.now() + idleMs;
  await new Promise<void>((resolve, reject) => {
    store.set(sid, { cookie, user }, (error?: unknown) => (error ? reject(error) : resolve()));
  });
  const { userId, authorities } = identityOf(user);
  return { cookie: signSessionId(sid, secret), userId, name: user.name, authorities, expiresAt, ttlMs: idleMs };
}
