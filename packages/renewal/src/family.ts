/** How a family's tokens are renewed: by a credential of its own, or by the expired access token alone, which is weaker. */
export type FamilyMode = 'credential' | 'bearer';

/**
 * Why a family ended. `revoked`: its client gave it back. `reused`: an old credential of it was presented. `replaced`: its
 * session began more families than it may have, and this one was idle longest.
 */
export type FamilyEndReason = 'revoked' | 'reused' | 'replaced' | 'session_ended' | 'user_ended';

/** One family of renewal credentials, as far as callers may know it. Times in epoch ms. */
export interface Family {
  readonly slot: number;
  readonly id: bigint;
  /** Id of the session's row; the family lies in its slot. */
  readonly sessionId: bigint;
  readonly userId: string;
  readonly clientId: string;
  readonly mode: FamilyMode;
  /** Thumbprint of the key that the client has to prove (RFC 9449 section 5); null: none. */
  readonly boundTo: string | null;
  /** The user's generation when the family began. */
  readonly generation: number;
  /** Successors made so far. */
  readonly renewals: number;
  readonly createTime: number;
  readonly idleExpiry: number;
  /** null: none. */
  readonly absoluteExpiry: number | null;
}

/** The credential before the current one, whose successor was never presented. */
export interface PreviousCredential {
  readonly digest: Buffer;
  /** When it stopped being the current one. */
  readonly rotatedAt: number;
  /** What it is answered with: opens with the credential alone. */
  readonly sealedSuccessor: Buffer;
  /** When that successor was made. */
  readonly successorAt: number;
}

/** A family's row. */
export interface FamilyRow {
  readonly family: Family;
  readonly version: bigint;
  readonly familyDigest: Buffer;
  readonly current: Buffer;
  readonly previous: PreviousCredential | null;
  readonly idleMs: number;
  readonly ended: { readonly at: number; readonly reason: FamilyEndReason } | null;
  /** The shard's clock when it read the row. */
  readonly readAt: number;
}
