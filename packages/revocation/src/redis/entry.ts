import { createHmac, timingSafeEqual, type KeyObject } from 'node:crypto';
import type { RevocationChange, RevocationKind } from '../change.ts';

/** An entry as it lies in the stream: what it says, and who may say so. */
export interface SealedEntry {
  readonly payload: string;
  /** HMAC-SHA-256 in base64url. */
  readonly mac: string;
}

/** What an entry says. */
export interface StreamEntry {
  /** When it was written, epoch milliseconds. */
  readonly at: number;
  readonly changes: readonly RevocationChange[];
}

const FORMAT = 1;
/** Longest payload that is looked at, in characters. */
const LONGEST = 1024 * 1024;
const KINDS: ReadonlySet<string> = new Set<RevocationKind>(['session', 'session_tokens', 'family', 'token', 'user', 'disabled', 'issuer']);

/** Writes an entry for the stream of this name: in another one it counts for nothing. */
export function sealEntry(key: KeyObject, stream: string, { at, changes }: StreamEntry): SealedEntry {
  const payload = JSON.stringify([FORMAT, at, changes.map(({ kind, key: name, value, seq }) => [kind, name, value, Number(seq)])]);
  return { payload, mac: macOf(key, stream, payload).toString('base64url') };
}

/**
 * Reads an entry. Who can write to Redis could end anybody's session with a false one, so nothing of it is looked at
 * before its MAC holds. undefined: it is not ours. Changes of a kind that this version does not know are left out.
 */
export function openEntry(key: KeyObject, stream: string, { payload, mac }: SealedEntry): StreamEntry | undefined {
  if (payload.length > LONGEST) return undefined;
  const expected = macOf(key, stream, payload);
  const given = Buffer.from(mac, 'base64url');
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
  const [format, at, changes] = JSON.parse(payload) as [number, number, readonly [RevocationKind, string, number, number][]];
  if (format !== FORMAT) return undefined;
  return {
    at,
    changes: changes.filter(([kind]) => KINDS.has(kind)).map(([kind, name, value, seq]) => ({ kind, key: name, value, seq: BigInt(seq) })),
  };
}

function macOf(key: KeyObject, stream: string, payload: string): Buffer {
  return createHmac('sha256', key).update(JSON.stringify(stream)).update(payload).digest();
}
