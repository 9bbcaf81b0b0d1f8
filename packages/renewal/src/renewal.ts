import type { Family, FamilyEndReason, FamilyMode } from './family.ts';

/** What a family begins with. */
export interface FamilyBeginning {
  /** Of `newFamilyId`, where something that names the family is made before it; default a new one. */
  readonly id?: bigint;
  readonly sessionId: bigint;
  readonly userId: string;
  readonly clientId: string;
  /** The user's generation, as the session has it. */
  readonly generation: number;
  /** How long the family lives unused, ms: the session's idle time and the life of an access token, so that it never ends before its session. */
  readonly idleMs: number;
  /** When the session ends however much it is used, epoch ms; null: never. */
  readonly absoluteExpiry: number | null;
  /** Default `credential`. `bearer` only where {@link TokenFamiliesOptions.maxBearerRenewals} is above 0. */
  readonly mode?: FamilyMode;
  /** Thumbprint of the key that each renewal has to prove (RFC 9449 section 5); default none. */
  readonly boundTo?: string;
  /** Epoch ms; default the shard's clock. */
  readonly now?: number;
}

/** A new family and its first credential. */
export interface BegunFamily {
  /** Mode `credential`: a bearer secret, given to the client once and kept nowhere. Mode `bearer`: the `jti` of its access token. */
  readonly credential: string;
  readonly slot: number;
  readonly id: bigint;
}

/** How a family is ended by one of its credentials. */
export interface FamilyEnding {
  /** The client that ends it; another one's stays. */
  readonly clientId?: string;
  /** Default `credential`. */
  readonly mode?: FamilyMode;
  /** Epoch ms; default the shard's clock. */
  readonly now?: number;
}

/** Who presents a credential, and what he has to meet. */
export interface Presenting {
  /** Least living generation of the session's user, who was read with the session. */
  readonly minimumGeneration: number;
  /** The authenticated client, where there is one: a credential of another is unknown (RFC 6749 section 6). */
  readonly clientId?: string;
  /** Thumbprint of the key that was proved with the request (RFC 9449). */
  readonly boundTo?: string;
  /** Epoch ms; default the shard's clock, so that a wrong clock of one instance changes nothing. */
  readonly now?: number;
}

/** A renewal by credential. */
export interface CredentialRenewal extends Presenting {
  readonly credential: string;
}

/** A renewal by an expired access token, **whose signature, issuer, audience and session the caller has verified**: the `jti` alone is no secret. */
export interface BearerRenewal extends Presenting {
  readonly jti: string;
  /** The token's `exp`, epoch ms. */
  readonly expiredAt: number;
}

/**
 * What became of a presented credential.
 *
 * - `renewed`: `successor` takes its place; `repeated` when it had been made for an earlier presentation of the same one.
 * - `reused`: an old credential was presented, so somebody has it who should not: the family has ended. `first` for the
 *   presentation that ended it; the caller counts that one, and revokes at every one, should it have died before it could.
 * - `ended`, `expired`, `generation_old`, `capped` (mode `bearer`: renewed as often as it may): 401, nothing was changed.
 * - `unknown`: no credential of a family, or not that client's or key's: 401.
 */
export type Renewal =
  | { readonly outcome: 'renewed'; readonly successor: string; readonly repeated: boolean; readonly family: Family }
  | { readonly outcome: 'reused'; readonly first: boolean; readonly family: Family }
  | { readonly outcome: 'ended'; readonly reason: Exclude<FamilyEndReason, 'reused'>; readonly family: Family }
  | { readonly outcome: 'expired' | 'generation_old' | 'capped'; readonly family: Family }
  | { readonly outcome: 'unknown' };
