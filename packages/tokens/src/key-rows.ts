import type { Queryable } from '@wherry/core/control';
import type { SigningAlgorithm } from './key-source.ts';
import type { KeyRecord, KeyState } from './key-transitions.ts';
import type { PublicJwk } from './new-key.ts';

/** The feed topic of signing keys. */
export const KEY_TOPIC = 'keys';

/** A key as operators see it. Times in epoch milliseconds of the control database. */
export interface KeyInfo {
  readonly kid: string;
  readonly alg: SigningAlgorithm;
  readonly state: KeyState;
  /** null: all issuers share it. */
  readonly ownerInstance: string | null;
  readonly createdAt: number;
  /** It signs from this moment on, once every live verifier has it. */
  readonly signsAfter: number;
  readonly activatedAt: number | null;
  /** Of a retiring key: from then on no token signed by it can live. */
  readonly keepUntil: number | null;
  /** `imported`: it was made elsewhere. */
  readonly origin: 'made' | 'imported';
  /** Tokens signed by it, and when it signed last; up to a minute behind. */
  readonly issued: number;
  readonly lastUsedAt: number | null;
}

/** A row of `signing_key`, its private part left out. */
export interface KeyRow {
  readonly kid: string;
  readonly alg: SigningAlgorithm;
  readonly state: KeyState;
  readonly owner_instance: string | null;
  readonly orphaned: boolean;
  readonly longest_life_s: number;
  readonly created_at: bigint;
  readonly signs_after: bigint;
  readonly activated_at: bigint | null;
  readonly keep_until: bigint | null;
  readonly seq: bigint;
  readonly public_jwk: PublicJwk;
  readonly origin: 'made' | 'imported';
  readonly grace_ms: bigint;
  readonly issued: bigint;
  readonly last_used_at: bigint | null;
}

/** The keys that are not gone, oldest first, and whether their owner is. */
export const LIVING_KEYS = `
  SELECT k.kid, k.alg, k.state, k.owner_instance, k.longest_life_s, k.created_at, k.signs_after, k.activated_at, k.keep_until, k.seq, k.public_jwk, k.origin, k.grace_ms, k.issued, k.last_used_at,
    k.owner_instance IS NOT NULL AND NOT EXISTS (
      SELECT FROM instance i WHERE i.id = k.owner_instance AND i.state = 'live' AND i.lease_until > wherry_now()) AS orphaned
  FROM signing_key k WHERE k.state <> 'gone' ORDER BY k.created_at, k.kid`;

/** What the steps of a key are decided on. */
export function recordOf(row: KeyRow): KeyRecord {
  const { kid, alg, state, owner_instance, orphaned, signs_after, keep_until, seq } = row;
  const keepUntil = keep_until === null ? null : Number(keep_until);
  return { kid, alg, state, ownerInstance: owner_instance, orphaned, signsAfter: Number(signs_after), keepUntil, seq };
}

/** The keys that are not gone, oldest first. Needs no key to unseal with: private parts are left where they are. */
export async function listKeys(database: Queryable): Promise<KeyInfo[]> {
  const { rows } = await database.query<KeyRow>(LIVING_KEYS);
  return rows.map(keyInfoOf);
}

/** The row as operators see it. */
function keyInfoOf(row: KeyRow): KeyInfo {
  return {
    kid: row.kid,
    alg: row.alg,
    state: row.state,
    ownerInstance: row.owner_instance,
    createdAt: Number(row.created_at),
    signsAfter: Number(row.signs_after),
    activatedAt: row.activated_at === null ? null : Number(row.activated_at),
    keepUntil: row.keep_until === null ? null : Number(row.keep_until),
    origin: row.origin,
    issued: Number(row.issued),
    lastUsedAt: row.last_used_at === null ? null : Number(row.last_used_at),
  };
}

/** True for a shared key that signs or will. */
export function isSharedAhead(row: KeyRow): boolean {
  return row.owner_instance === null && (row.state === 'next' || row.state === 'active');
}
