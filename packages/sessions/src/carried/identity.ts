import { createHash } from 'node:crypto';
import type { SessionDecoder } from '../source/decoder.ts';

/** Whom a session belongs to, and what he may do by it. */
export interface Identity {
  /** null: nobody has signed in to it, or nobody can tell who. */
  readonly userId: string | null;
  readonly authorities: readonly string[];
}

/**
 * What a change takes from whoever holds a token of before. `loss`: the token lets somebody do what the session does not
 * let him do any more. `gain`: it lets him do less than the session. `none`: it says the same, or there can be no token.
 */
export type IdentityChange = 'none' | 'gain' | 'loss';

const NOBODY: Identity = { userId: null, authorities: [] };

/** Long enough that no two identities that a session ever has are taken for one. */
const MARK_BYTES = 12;

/** Whom a stored value belongs to. What cannot be decoded is nobody's, as it is for the gateway. */
export function identityOf(decode: SessionDecoder, value: string): Identity {
  const decoded = decode(value);
  return decoded.ok ? decoded.session : NOBODY;
}

/** Stands for an identity beside a session in its source; authorities count as a set. */
export function markOf({ userId, authorities }: Identity): string {
  const text = JSON.stringify([userId, [...new Set(authorities)].toSorted()]);
  return createHash('sha256').update(text).digest().subarray(0, MARK_BYTES).toString('hex');
}

/** How one identity of a session follows another. */
export function changeBetween(before: Identity, after: Identity): IdentityChange {
  // Tokens are issued to somebody only.
  if (before.userId === null) return 'none';
  if (before.userId !== after.userId) return 'loss';
  const [old, now] = [new Set(before.authorities), new Set(after.authorities)];
  if ([...old].some((authority) => !now.has(authority))) return 'loss';
  return old.size === now.size ? 'none' : 'gain';
}
