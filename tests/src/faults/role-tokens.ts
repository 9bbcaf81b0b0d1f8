import { sessionIdText, type CarriedSessions, type SessionRuntime } from '@wherry/sessions';
import { LIFE_MS } from './session-value.ts';

/** What an access token says that was issued from one reading of a session. */
export interface RoleToken {
  readonly sid: string;
  readonly userId: string | null;
  readonly roles: readonly string[];
  /** NumericDate. */
  readonly iat: number;
}

/** A session of user `n` with these roles, as an Express application stores it. */
export function roleValue(n: number, roles: readonly string[], more: object = {}): string {
  return JSON.stringify({ cookie: { originalMaxAge: LIFE_MS, path: '/' }, user: { id: n, name: `user${n}`, roles }, ...more });
}

/** Reads a session as whoever issues a token for it does. */
export async function tokenOf(sessions: CarriedSessions, rawId: string): Promise<RoleToken> {
  const second = Math.floor(Date.now() / 1000);
  const read = await sessions.read(rawId);
  if (read.state !== 'live') throw new Error(`the session is ${read.state}`);
  const iat = Math.max(second, read.tokensNotBefore + 1);
  return { sid: sessionIdText(read.key.id), userId: read.userId, roles: read.authorities, iat };
}

/** Whether a process takes it, as its verifier would. */
export function taken({ ended }: SessionRuntime, { sid, iat }: RoleToken): boolean {
  return !ended.isSessionEnded(sid) && iat > ended.sessionTokensNotBefore(sid);
}
