import type { Clock, ErrorCode, Logger } from '@wherry/core';
import type { AuthorizationSource, IdentitySigner } from '@wherry/http';
import { apartFrom } from '@wherry/revocation';
import type { CarriedSessions, SessionRuntime } from '@wherry/sessions';
import { createVerifier, type AccessTokenClaims, type RefusalReason, type Verification, type Verifier } from '@wherry/tokens';
import { BoundTokens, type ProvedRequest } from './bound-tokens.ts';
import { Caller } from './caller.ts';
import type { ClientAddresses, Peer } from './limits/client-addresses.ts';
import { isRefusal, type ExaminationBudget } from './limits/examination-budget.ts';
import type { GatewayTokens } from './options.ts';
import { refusal, type Outcome, type Refusal } from './outcome.ts';
import type { RenewalClient } from './renewal/renewal-client.ts';
import { Renewer } from './renewal/renewer.ts';
import type { RolloutSide } from './rollout/rollout-side.ts';
import { judgeStaleToken } from './stale-token.ts';

/** Options of {@link TokenJudge}. */
export interface TokenJudgeOptions {
  readonly tokens: GatewayTokens;
  readonly runtime: SessionRuntime;
  readonly rollout: RolloutSide;
  /** Absent: an access token that has run out is refused, whatever comes with it. */
  readonly renewal: { readonly client: RenewalClient; readonly windowMs: number } | undefined;
  readonly carried: CarriedSessions | undefined;
  readonly signer: IdentitySigner | undefined;
  /** How clients address the gateway; absent: tokens that are bound to a key are refused, since nobody can prove what for. */
  readonly origin: string | undefined;
  readonly budget: ExaminationBudget;
  readonly addresses: ClientAddresses;
  /** Whether news of revocations are recent enough. */
  readonly fresh: () => boolean;
  /** Told of each request that passes by a token. */
  readonly onUse: (caller: Caller, rawHeaders: readonly string[], now: number) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A request as it is judged. */
export interface JudgedRequest extends AuthorizationSource {
  readonly method?: string | undefined;
  /** What a proof of possession has to be for, where another proxy asks about a request; absent: this one. */
  readonly proved?: () => ProvedRequest;
}

const SKEW_MS = 30_000;
/** Tokens that have run out and are renewed do not come again. */
const RENEWED_REMEMBERED = 1000;
/** What no honest client sends; what has only run out is sent by honest ones too. */
const MADE_UP: ReadonlySet<ErrorCode> = new Set([
  'token_signature_invalid',
  'dpop_signature_invalid',
  'dpop_key_wrong',
  'dpop_proof_replayed',
]);

/**
 * Judges requests by their access token. One that was seen before is judged from memory and makes no promise; another one
 * is examined within the budget of whoever sends it; one that has run out may be renewed on its way.
 */
export class TokenJudge {
  readonly verifier: Verifier<Caller | undefined>;
  readonly renewer: Renewer | undefined;
  readonly #bound: BoundTokens<Caller | undefined> | undefined;
  readonly #options: TokenJudgeOptions;

  constructor(options: TokenJudgeOptions) {
    this.#options = options;
    const { tokens, runtime, rollout, renewal, origin, clock, log } = options;
    const skewMs = tokens.skewMs ?? SKEW_MS;
    // By the issuer's clock, not by this machine's: a token of the signed-in is not out of date because somebody sets that.
    const verifying = {
      ...tokens,
      revocations: runtime.ended,
      clock: { now: () => runtime.instance.databaseNow(), monotonic: () => clock.monotonic() },
    };
    this.verifier = createVerifier({ ...verifying, cacheSize: tokens.cacheSize ?? 100_000, derive: (claims) => this.#callerOf(claims) });
    if (origin !== undefined) this.#bound = new BoundTokens({ verifier: this.verifier, origin, skewS: Math.ceil(skewMs / 1000), clock });
    if (renewal !== undefined) {
      this.renewer = new Renewer({
        client: renewal.client,
        verifier: this.verifier,
        lenient: createVerifier({
          ...verifying,
          // The renewed one says what the session now says.
          revocations: apartFrom(runtime.ended, 'session_tokens'),
          cacheSize: RENEWED_REMEMBERED,
          skewMs: skewMs + renewal.windowMs,
        }),
        onRenewal: (userId, outcome) => rollout.arms?.renewal(userId, outcome),
        log,
      });
    }
  }

  /** The outcome for a bearer token that was seen before; undefined for another one, and for what has not held. Rejects as the stores do. */
  recall(token: string, rawHeaders: readonly string[], now: number): Outcome | Promise<Outcome> | undefined {
    const verified = this.verifier.recall(token);
    return verified?.ok === true ? this.#admit(verified.derived, rawHeaders, now) : undefined;
  }

  /** The outcome for a bearer token. Rejects as the stores do. */
  judge(token: string, request: AuthorizationSource, now: number, peer: Peer | undefined): Outcome | Promise<Outcome> {
    const verified = this.verifier.recall(token) ?? this.#examine(token, request, peer);
    if (verified.ok) return this.#admit(verified.derived, request.rawHeaders, now);
    return 'answer' in verified ? verified : this.#refuse(token, verified.reason, request);
  }

  /** The same for one of scheme DPoP. A proof is a signature of its own, so each request costs what an examination does. */
  judgeBound(token: string, request: JudgedRequest, now: number, peer: Peer | undefined): Outcome | Promise<Outcome> {
    if (this.#bound === undefined) return refusal('jwt', 'token_bound');
    const { budget, addresses } = this.#options;
    const examination = budget.enterToken(peer === undefined ? undefined : addresses.of(peer, request.rawHeaders));
    if (isRefusal(examination)) return examination;
    const verified = this.#bound.verify(token, request.proved?.() ?? request);
    budget.settleToken(examination, worthOf(verified));
    return verified.ok ? this.#admit(verified.derived, request.rawHeaders, now) : refusal('jwt', verified.reason);
  }

  #examine(token: string, { rawHeaders }: AuthorizationSource, peer: Peer | undefined): Verification<Caller | undefined> | Refusal {
    const { budget, addresses } = this.#options;
    const examination = budget.enterToken(peer === undefined ? undefined : addresses.of(peer, rawHeaders));
    if (isRefusal(examination)) return examination;
    const verified = this.verifier.verify(token);
    budget.settleToken(examination, worthOf(verified));
    return verified;
  }

  /** What has run out, or has a session that says something else by now, may be renewed on its way, where the request brings what that takes. */
  #refuse(token: string, reason: RefusalReason, request: AuthorizationSource): Outcome | Promise<Outcome> {
    const renewable = reason === 'token_expired' || reason === 'token_session_changed';
    const renewed = renewable ? this.renewer?.attempt(token, request, reason) : undefined;
    return renewed ?? refusal('jwt', reason);
  }

  #admit(caller: Caller | undefined, rawHeaders: readonly string[], now: number): Outcome | Promise<Outcome> {
    if (caller === undefined) return refusal('jwt', 'token_claims_invalid');
    if (!this.#options.fresh()) return judgeStaleToken(caller, this.#options);
    caller.usage?.use(now);
    this.#options.onUse(caller, rawHeaders, now);
    return caller;
  }

  /** undefined: the claims are signed and still no identity can be written from them. */
  #callerOf({ sub, authorities, sid, client_id: clientId, username, gen }: AccessTokenClaims): Caller | undefined {
    const { signer, rollout, clock } = this.#options;
    try {
      const principal = {
        userId: sub,
        authorities,
        kind: 'jwt',
        clientId,
        ...(sid === undefined ? {} : { sessionId: sid }),
        ...(username === undefined ? {} : { username }),
      } as const;
      const caller = new Caller('jwt', principal, gen, signer);
      caller.usage = rollout.usage?.of({ clientId, version: '' }, 'jwt');
      // Once for each token that is seen here: its client has stored it.
      if (caller.sessionId !== undefined) rollout.notes?.proof(caller.sessionId, clientId, clock.now());
      return caller;
    } catch {
      return undefined;
    }
  }
}

function worthOf(verified: { readonly ok: true } | { readonly ok: false; readonly reason: ErrorCode }): 'good' | 'bad' | 'neutral' {
  if (verified.ok) return 'good';
  return MADE_UP.has(verified.reason) ? 'bad' : 'neutral';
}
