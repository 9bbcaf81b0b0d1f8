import { clientIdOf, type CarriedSessions, type LiveSession, type SessionKey, type SessionRuntime } from '@wherry/sessions';
import type { SessionCredential } from './credential.ts';

/** What a session credential stands for, as read from the primary side. */
export type SessionFinding =
  | {
      readonly state: 'live';
      readonly userId: string;
      readonly username: string | null;
      readonly authorities: readonly string[];
      readonly generation: number;
      /** The application that the session was begun with, where the session says. */
      readonly clientId?: string;
      /** Epoch ms by the target's clock; null: never. */
      readonly expireTime: number | null;
    }
  /** `anonymous`: it lives, and nobody has signed in to it. `undecodable`: it lives, and nobody can tell whose it is. */
  | { readonly state: 'absent' | 'ended' | 'anonymous' | 'undecodable' };

/** What sessions are read from. */
export interface SessionReaderOptions {
  readonly runtime: SessionRuntime;
  /** Needed for cookies. */
  readonly carried: CarriedSessions | undefined;
}

/** Reads the session behind a credential. Errors: `source_unavailable`, `shard_unavailable`, `slot_not_owned`. */
export class SessionReader {
  readonly #options: SessionReaderOptions;

  constructor(options: SessionReaderOptions) {
    this.#options = options;
  }

  async read(credential: SessionCredential): Promise<SessionFinding> {
    if (credential.kind === 'session_token') return this.#readRow('session_token', credential.key);
    const { carried } = this.#options;
    if (carried === undefined) return { state: 'absent' };
    const read = await carried.read(credential.rawId);
    return read.state === 'live' ? finding(read) : { state: read.state };
  }

  /**
   * The session as the target has it, found by its digest; for a cookie only where the target is the primary side. What it
   * answers is for whoever proves to hold the secret later.
   */
  async readTarget({ kind, key }: Pick<SessionCredential, 'kind' | 'key'>): Promise<SessionFinding> {
    const { slots } = this.#options.runtime;
    if (kind === 'cookie' && (this.#options.carried === undefined || slots.entry(key.slot).side !== 'target')) return { state: 'absent' };
    return this.#readRow(kind, key);
  }

  /** A session that was born here lies on the target, whichever side is primary for its slot. */
  async #readRow(kind: SessionCredential['kind'], key: SessionKey): Promise<SessionFinding> {
    const { target, ended, now } = this.#options.runtime;
    const sid = key.id.toString();
    if (ended.isSessionEnded(sid)) return { state: 'ended' };
    const read = await target.get(key);
    // Asked again: the end may have become known while the shard was being read, and ended wins.
    if (read.state === 'ended' || ended.isSessionEnded(sid)) return { state: 'ended' };
    if (read.state === 'absent') return { state: 'absent' };
    const { record } = read;
    // A carried-over session is opened by its signed cookie only: the digest of its id proves no signature.
    if ((record.sourceRef !== null) !== (kind === 'cookie')) return { state: 'absent' };
    if (record.expireTime !== null && record.expireTime <= now()) return { state: 'absent' };
    if (record.userId !== null && record.userGeneration < ended.minimumGeneration(record.userId)) return { state: 'ended' };
    const clientId = kind === 'cookie' ? undefined : clientIdOf(record);
    return { ...finding(record), ...(clientId === undefined ? {} : { clientId }) };
  }
}

function finding({
  userId,
  username,
  authorities,
  userGeneration,
  expireTime,
}: Pick<LiveSession, 'userId' | 'username' | 'authorities' | 'userGeneration' | 'expireTime'>): SessionFinding {
  if (userId === null) return { state: 'anonymous' };
  return { state: 'live', userId, username, authorities, generation: userGeneration, expireTime };
}
