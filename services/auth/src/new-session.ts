import { WherryError } from '@wherry/core';
import { newFamilyId } from '@wherry/renewal';
import { mintSessionToken, ownAttributes, type SessionKey } from '@wherry/sessions';
import { signed, type AccessToken } from './access-tokens.ts';
import type { RegisteredClient } from './clients.ts';
import type { AuthContext } from './context.ts';
import { beginBearerRenewal, beginRenewal, renewsByItself, requireLease } from './renewal/begin-renewal.ts';

/** Who is signed in, as read in one step. */
export interface Identity {
  readonly userId: string;
  readonly username: string | null;
  readonly authorities: readonly string[];
  /** The user's generation, read before the rest. */
  readonly generation: number;
}

/** A renewal credential in an answer of a log-in. Absent where none is given out. */
export interface RenewalMembers {
  /** A secret: given to the client once, kept nowhere. */
  readonly renewalCredential?: string;
  /** Seconds in which it has to be used. */
  readonly renewalExpiresIn?: number;
  /** `bearer`: the access token is renewed by nothing but itself. */
  readonly renewal?: 'bearer';
}

/** A new session and what it is borne by. */
export interface NewSession {
  readonly key: SessionKey;
  /** A secret: given to the client once, kept nowhere. undefined: the rollout gives none out any more. */
  readonly sessionToken: string | undefined;
  /** Epoch ms. */
  readonly sessionExpiresAt: number;
  readonly access: AccessToken | undefined;
  readonly renewal: RenewalMembers;
}

const ATTEMPTS = 3;

/**
 * Stores a new session, and answers what the rollout gives out for it: a session token, an access token, and a renewal
 * credential where it was asked for, or where it is all that can bring the user through the day. Errors: `lease_lost`,
 * `session_collision`, `signing_key_unavailable`, `grant_invalid`, `id_*`, `shard_unavailable`, `slot_not_owned`.
 */
export async function beginSession(
  context: AuthContext,
  identity: Identity,
  client: RegisteredClient,
  { renewable = false }: { readonly renewable?: boolean | undefined } = {},
): Promise<NewSession> {
  // Whatever is given out by this policy was given out before the next one is acknowledged.
  return context.rollout.issuing(async () => {
    const policy = context.rollout.policyFor(identity.userId, client.id);
    requireLease(policy);
    const isBearer = policy.issueJwts && !renewable && renewsByItself(context, client, policy);
    const wanted = !isBearer && policy.issueRenewals && client.grants.has('refresh_token') && (renewable || !policy.issueSessions);
    const familyId = wanted ? newFamilyId() : undefined;
    const session = await store(context, identity, client, { issueJwts: policy.issueJwts, isBearer, familyId });
    const { sessionToken, subject, ...rest } = session;
    return {
      ...rest,
      key: subject.key,
      sessionToken: policy.issueSessions ? sessionToken : undefined,
      renewal: wanted ? await renewalMembers(context, { subject, clientId: client.id, familyId }) : isBearer ? { renewal: 'bearer' } : {},
    };
  });
}

/** Begins a family, and answers its first credential. Errors: `shard_unavailable`, `slot_not_owned`. */
export async function renewalMembers(context: AuthContext, beginning: Parameters<typeof beginRenewal>[1]): Promise<RenewalMembers> {
  const { credential, expiresIn } = await beginRenewal(context, beginning);
  return { renewalCredential: credential, renewalExpiresIn: expiresIn };
}

type Stored = Pick<NewSession, 'sessionExpiresAt' | 'access'> & {
  readonly sessionToken: string;
  readonly subject: Parameters<typeof beginRenewal>[1]['subject'];
};

/** The token of an access that could not be signed would be missed, so it is signed first. */
async function store(
  context: AuthContext,
  { userId, username, authorities, generation }: Identity,
  client: RegisteredClient,
  { issueJwts, isBearer, familyId }: { readonly issueJwts: boolean; readonly isBearer: boolean; readonly familyId: bigint | undefined },
): Promise<Stored> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const { token: sessionToken, key } = mintSessionToken(await context.ids.next());
    const now = context.now();
    const sessionExpiresAt = now + Math.min(context.idleMs, context.absoluteMs);
    const subject = { key, userId, username, authorities, generation, clientId: client.id, readAt: now, createTime: now };
    const bearer = isBearer ? await beginBearerRenewal(context, { subject, clientId: client.id }) : undefined;
    const terms = familyId === undefined ? bearer : { familyId };
    const access = issueJwts ? signed(context, subject, client, sessionExpiresAt, terms) : undefined;
    const outcome = await context.runtime.target.create({
      key,
      userId,
      username,
      role: authorities[0] ?? null,
      authorities,
      createTime: now,
      lastAccessTime: now,
      expireTime: sessionExpiresAt,
      userGeneration: generation,
      attributes: ownAttributes(client.id),
      version: { epoch: 0, n: 1 },
      touchVersion: now,
      sourceRef: null,
    });
    if (outcome === 'applied') return { sessionToken, sessionExpiresAt, access, subject };
    // The id of a carried-over session, which follows from a digest, can be any number.
  }
  throw new WherryError('session_collision', 'no free id was found for the session; try again');
}
