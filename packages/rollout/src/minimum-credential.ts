/** The least credential with which a client is let in while its session lives. */
export type MinimumCredential =
  /** A session token is as good as an access token. */
  | 'any'
  /** A session token is accepted, with headers that say it will not be for ever (RFC 9745, RFC 8594). */
  | 'preferred'
  /** A session token is refused (`session_token_superseded`); the token endpoint still exchanges it until `retired`. */
  | 'only';

/** What is known of one client of one session. Epoch milliseconds. */
export interface CredentialEvidence {
  /** When the client first presented an access token or a renewal credential of this session: it has stored one. */
  readonly provedAt: number | null;
  /** When it last used the session token; null where that was never seen. */
  readonly sessionTokenUsedAt: number | null;
}

/** What the policy asks of a client at the most. */
export interface MinimumPolicy {
  readonly minimum: MinimumCredential;
  /** How long the client must have used no session token before its own is refused, milliseconds. */
  readonly quietMs: number;
}

const RANK: Readonly<Record<MinimumCredential, number>> = { any: 0, preferred: 1, only: 2 };

/**
 * The floor of one client of one session: what it has shown that it can bear. Headers can be borne by anybody, and those
 * who know of session tokens alone are the ones who have to read them; so nothing need be proved for `preferred`. `only`
 * takes a proof that the client has stored what it was given, for a lost answer looks like a given one from here, and
 * `quietMs` without use of the session token since, for a client may have stored it and still run code that does not
 * send it.
 */
function minimumFloor(evidence: CredentialEvidence | undefined, quietMs: number, now: number): MinimumCredential {
  if (evidence === undefined || evidence.provedAt === null) return 'preferred';
  const since = Math.max(evidence.provedAt, evidence.sessionTokenUsedAt ?? evidence.provedAt);
  return now - since >= quietMs ? 'only' : 'preferred';
}

/**
 * What is enforced: the lower of what the policy asks and what the client of this session can bear. `evidence` undefined:
 * nothing is known of them. `now`: epoch milliseconds. Pure.
 */
export function enforcedMinimum(
  { minimum, quietMs }: MinimumPolicy,
  evidence: CredentialEvidence | undefined,
  now: number,
): MinimumCredential {
  // Asked at every request with a session token: most policies need no evidence.
  if (minimum !== 'only') return minimum;
  const floor = minimumFloor(evidence, quietMs, now);
  return RANK[floor] < RANK[minimum] ? floor : minimum;
}
