import type { ClientEvidence } from '@wherry/renewal';
import type { RolloutArm, UsageCounter } from '@wherry/rollout';
import { SIGNATURE_HEADER, encodeIdentity, type IdentityHeaders, type IdentitySigner, type Principal } from '@wherry/http';
import { Answer } from './answer.ts';
import type { CredentialKind } from './outcome.ts';
import { NO_HEADERS, withResponseHeaders, type ResponseHeaders } from './respond.ts';

/** A signature counts for 30 s at the upstream; one may be used again for this long, milliseconds. */
const SIGN_EVERY_MS = 5000;
const NOTHING = new Answer(200, ['Content-Length', '0']);

/**
 * A signed-in user and the headers that tell of him, made once and kept with the memory of his credential, so that a
 * request which is recognised again makes nothing new.
 */
export class Caller {
  readonly ok = true;
  readonly kind: CredentialKind;
  readonly principal: Principal;
  /** Id of the session's row; undefined where none stands behind the credential. */
  readonly sessionId: bigint | undefined;
  /** The user's generation that the credential carries. */
  readonly generation: number;
  /** What goes back to the client with the answer; empty but for a caller of one request, see {@link Caller.responding}. */
  readonly respond: ResponseHeaders;
  /** When the next touch is to be considered, and the next comparison with the cookie's session: epoch ms. */
  touchDue = 0;
  compareDue = 0;
  /** Where the uses of this client's access tokens are counted. */
  usage: UsageCounter | undefined;
  /** The arm of the user, and the number of the rollout for which it is. */
  arm: RolloutArm = 'outside';
  armSeq = -1n;
  /** What the clients of his session have shown, and when that was read, epoch ms. */
  evidence: readonly ClientEvidence[] | undefined;
  evidenceAt = 0;
  /** The same caller whose answers say that his credential is deprecated. */
  deprecated: Caller | undefined;
  readonly #identity: IdentityHeaders;
  readonly #signer: IdentitySigner | undefined;
  #signedAt = Number.NEGATIVE_INFINITY;
  #upstream: readonly string[] = [];
  #answer: Answer = NOTHING;

  /** Errors: `unauthenticated` for an identity that has no written form. */
  constructor(
    kind: CredentialKind,
    principal: Principal,
    generation: number,
    signer: IdentitySigner | undefined,
    respond: ResponseHeaders = NO_HEADERS,
  ) {
    this.kind = kind;
    this.principal = principal;
    this.sessionId = principal.sessionId === undefined ? undefined : BigInt(principal.sessionId);
    this.generation = generation;
    this.respond = respond;
    this.#identity = encodeIdentity(principal);
    this.#signer = signer;
    if (signer === undefined) this.#write(Object.entries(this.#identity).flat());
  }

  /**
   * The same user in a request whose answer carries these headers back to its client: behind the proxy with the
   * upstream's own, in a check with the identity. They are one client's secrets, so what this answers is never kept for
   * another request.
   */
  responding(headers: ResponseHeaders): Caller {
    return new Caller(this.kind, this.principal, this.generation, this.#signer, headers);
  }

  /** Identity headers for the upstream, names and values in turn. `now`: epoch ms. */
  upstream(now: number): readonly string[] {
    if (this.#signer !== undefined) this.#sign(this.#signer, now);
    return this.#upstream;
  }

  /** The same as the answer to a forward-auth check. */
  answer(now: number): Answer {
    if (this.#signer !== undefined) this.#sign(this.#signer, now);
    return this.#answer;
  }

  #sign(signer: IdentitySigner, now: number): void {
    // Also after a clock that went back: a signature from the future would be refused.
    if (Math.abs(now - this.#signedAt) < SIGN_EVERY_MS) return;
    this.#signedAt = now;
    this.#write([...Object.entries(this.#identity).flat(), SIGNATURE_HEADER, signer.sign(this.#identity)]);
  }

  #write(headers: readonly string[]): void {
    this.#upstream = headers;
    this.#answer = new Answer(200, withResponseHeaders(['Content-Length', '0', ...headers], this.respond));
  }
}
