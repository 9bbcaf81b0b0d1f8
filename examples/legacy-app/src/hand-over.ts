import { setTimeout as delay } from 'node:timers/promises';
import type { StatelessConfig } from './config.ts';
import type { User } from './directory.ts';
import { identityOf } from './identity.ts';

/** What the auth service answers to a log-in that is handed over, passed on as it is. */
export type HandedOver = { readonly ok: true; readonly tokens: Readonly<Record<string, unknown>> } | { readonly ok: false };

const TRIES = 3;
const PAUSE_MS = 200;
const LONGEST_MS = 5000;

/**
 * Tells the auth service that a user has signed in here, as a client that is allowed to say so, and gets his access token and
 * renewal credential. Not ok: the service could not answer, and the user may try again.
 */
export async function handOver({ authUrl, clientId, clientSecret }: StatelessConfig, user: User): Promise<HandedOver> {
  const { userId, authorities } = identityOf(user);
  // RFC 6749 section 2.3.1: both are form-encoded first.
  const credentials = Buffer.from(`${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`).toString('base64');
  for (let attempt = 1; attempt <= TRIES; attempt++) {
    if (attempt > 1) await delay(PAUSE_MS);
    try {
      const answer = await fetch(new URL('/v1/logins', authUrl), {
        method: 'POST',
        headers: { authorization: `Basic ${credentials}`, 'content-type': 'application/json' },
        body: JSON.stringify({ userId, username: user.name, authorities, renewable: true }),
        signal: AbortSignal.timeout(LONGEST_MS),
      });
      const said: unknown = await answer.json();
      if (answer.ok && typeof said === 'object' && said !== null) return { ok: true, tokens: said as Record<string, unknown> };
      // A refusal will not be another one for being repeated.
      if (answer.status < 500) throw new HandOverRefused(answer.status, codeOf(said));
    } catch (error) {
      if (error instanceof HandOverRefused) throw error;
    }
  }
  return { ok: false };
}

/** The auth service refuses this application's log-ins: a matter of configuration. */
export class HandOverRefused extends Error {
  override readonly name = 'HandOverRefused';

  constructor(status: number, code: string) {
    super(`the auth service refuses a log-in that is handed over: ${status} ${code}`);
  }
}

function codeOf(said: unknown): string {
  const code = typeof said === 'object' && said !== null ? (said as Record<string, unknown>)['code'] : undefined;
  return typeof code === 'string' ? code : '';
}
