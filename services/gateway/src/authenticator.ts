import { asWherryError, type Clock, type ErrorCode, type Logger } from '@wherry/core';
import type { AuthorizationSource, IdentitySigner } from '@wherry/http';
import { classifyCredential, type CarriedSessions, type ExpressCookie, type SessionRuntime } from '@wherry/sessions';
import { createVerifier, type AccessTokenClaims, type RefusalReason, type Verification, type Verifier } from '@wherry/tokens';
import { BoundTokens, type ProvedRequest } from './bound-tokens.ts';
import { Caller } from './caller.ts';
import { Comparison } from './comparison.ts';
import { Counts } from './counts.ts';
import { credentialOf, ordinaryBearer, type SessionCredential } from './credential.ts';
import type { ClientAddresses, Peer } from './limits/client-addresses.ts';
import { isRefusal, type ExaminationBudget } from './limits/examination-budget.ts';
import type { GatewayTokens } from './options.ts';
import { refusal, refusalOf, type CredentialKind, type Outcome, type Refusal } from './outcome.ts';
import type { RenewalClient } from './renewal/renewal-client.ts';
import { Renewer } from './renewal/renewer.ts';
import type { RolloutSide } from './rollout/rollout-side.ts';
import { judgeAgain } from './second-look.ts';
import { SessionCache, nameOf } from './session-cache.ts';
import { SessionReader, type SessionFinding } from './session-reader.ts';
import { judgeStaleToken } from './stale-token.ts';
import { Touches } from './touches.ts';

/** Options of {@link Authenticator}. */
export interface AuthenticatorOptions {
  readonly tokens: GatewayTokens;
  readonly runtime: SessionRuntime;
  readonly rollout: RolloutSide;
  /** Absent: an access token that has run out is refused, whatever comes with it. */
  readonly renewal: { readonly client: RenewalClient; readonly windowMs: number } | undefined;
  readonly carried: CarriedSessions | undefined;
  readonly cookie: ExpressCookie | undefined;
  readonly signer: IdentitySigner | undefined;
  readonly cacheSize: number;
  readonly cacheTtlMs: number;
  readonly cacheSource: boolean;
  readonly freshMs: number;
  /** How clients address the gateway; absent: tokens that are bound to a key are refused, since nobody can prove what for. */
  readonly origin: string | undefined;
  readonly budget: ExaminationBudget;
  readonly addresses: ClientAddresses;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A request as it is judged. */
export interface JudgedRequest extends AuthorizationSource {
  readonly method?: string | undefined;
  /** What a proof of possession has to be for, where another proxy asks about a request; absent: this one. */
  readonly proved?: () => ProvedRequest;
}

/** How often a token or session in memory asks whether it is time for a touch, milliseconds. */
const TOUCH_LOOK_MS = 1000;
const LOG_EVERY_MS = 1000;
const SKEW_MS = 30_000;
/** Tokens that have run out and are renewed do not come again. */
const RENEWED_REMEMBERED = 1000;
const NONE: readonly string[] = [];
/** What no honest client sends. */
const MADE_UP: ReadonlySet<ErrorCode> = new Set([
  'token_signature_invalid',
  'dpop_signature_invalid',
  'dpop_key_wrong',
  'dpop_proof_replayed',
]);

/** Judges each request: credential, then principal, then policy. The way of a token that was seen before makes no promise. */
export class Authenticator {
  readonly counts: Counts = new Counts();
  readonly verifier: Verifier<Caller | undefined>;
  readonly sessions: SessionCache;
  readonly touches: Touches;
  readonly comparison: Comparison;
  readonly renewer: Renewer | undefined;
  readonly #bound: BoundTokens<Caller | undefined> | undefined;
  readonly #options: AuthenticatorOptions;
  #loggedAt = Number.NEGATIVE_INFINITY;

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
    const { tokens, runtime, carried, cookie, clock } = options;
    const verifying = { ...tokens, revocations: runtime.ended, clock };
    this.verifier = createVerifier({
      ...verifying,
      cacheSize: tokens.cacheSize ?? 100_000,
      derive: (claims) => this.#tokenCaller(claims),
    });
    if (options.origin !== undefined) {
      const skewS = Math.ceil((tokens.skewMs ?? SKEW_MS) / 1000);
      this.#bound = new BoundTokens({ verifier: this.verifier, origin: options.origin, skewS, clock });
    }
    if (options.renewal !== undefined) {
      const { client, windowMs } = options.renewal;
      const lenient = createVerifier({ ...verifying, cacheSize: RENEWED_REMEMBERED, skewMs: (tokens.skewMs ?? SKEW_MS) + windowMs });
      const onRenewal = (userId: string, outcome: 'ok' | 'failed'): void => options.rollout.arms?.renewal(userId, outcome);
      this.renewer = new Renewer({ client, verifier: this.verifier, lenient, onRenewal, log: options.log });
    }
    this.sessions = new SessionCache({
      runtime,
      reader: new SessionReader({ runtime, carried }),
      size: options.cacheSize,
      ttlMs: options.cacheTtlMs,
      source: options.cacheSource,
      fresh: () => this.#fresh && runtime.instance.staleMs(runtime.slots.topic) <= options.freshMs,
      callerOf: (credential, finding) => this.#sessionCaller(credential, finding),
      clock,
    });
    this.touches = new Touches({ runtime, carried, clock });
    this.comparison = new Comparison({
      cookie: carried === undefined ? undefined : cookie,
      judge: (credential) => this.#session(credential),
      stillHolds: ({ sessionId, generation, principal }) =>
        (sessionId === undefined || !runtime.ended.isSessionEnded(sessionId.toString())) &&
        generation >= runtime.ended.minimumGeneration(principal.userId),
      onCompared: (caller, difference) => {
        if (difference !== 'unknown') options.rollout.arms?.compared(caller, difference !== 'same');
      },
    });
  }

  /** Who sends a request, or why that is not known. Never throws, never rejects. `now`: epoch ms; `peer`: the other end of its connection. */
  judge(request: JudgedRequest, now: number, peer?: Peer): Outcome | Promise<Outcome> {
    const token = ordinaryBearer(request);
    const outcome = this.#judged(token, request, now, peer);
    const { arms } = this.#options.rollout;
    if (arms?.active !== true) return outcome;
    if (!(outcome instanceof Promise)) {
      arms.judged(outcome, token, 0, now);
      return outcome;
    }
    const { clock } = this.#options;
    const began = clock.monotonic();
    return outcome.then((settled) => {
      arms.judged(settled, token, clock.monotonic() - began, now);
      return settled;
    });
  }

  #judged(token: string | undefined, request: JudgedRequest, now: number, peer: Peer | undefined): Outcome | Promise<Outcome> {
    // `{"` in base64url: what begins like this is a JWT or nothing, and was most likely seen before.
    if (token?.startsWith('eyJ') === true) {
      const verified = this.verifier.recall(token) ?? this.#examine(token, request, peer);
      if (verified.ok) return this.#admitToken(verified.derived, request.rawHeaders, now);
      if ('answer' in verified) return verified;
      if (classifyCredential(token) === 'jwt') return this.#refuseToken(token, verified.reason, request);
    }
    const credential = credentialOf(request, this.#options.cookie);
    switch (credential.kind) {
      case 'jwt':
        return this.#token(credential.token, request, now, peer);
      case 'bound_jwt':
        return this.#boundToken(credential.token, request, now, peer);
      case 'refused':
        return credential.refusal;
      case 'session_token':
        return this.#sessionToken(credential, request, now, peer);
      case 'cookie':
        // The application has signed it, so nobody can make one up.
        return this.#session(credential, request.rawHeaders, now);
    }
  }

  /**
   * Whether the caller of a request that is still under way would be let in as the same one now. `used`: he has sent
   * something meanwhile, which keeps his session alive as a request does. Never throws, never rejects.
   */
  judgeAgain(caller: Caller, request: AuthorizationSource, used: boolean): Outcome | Promise<Outcome> {
    const settle = (outcome: Outcome): Outcome => {
      if (outcome.ok && used && caller.kind !== 'cookie') this.#touch(caller, Date.now());
      return outcome;
    };
    try {
      const session = (credential: SessionCredential): Outcome | Promise<Outcome> => this.#session(credential);
      const options = { ...this.#options, keys: this.#options.tokens.keys, verifier: this.verifier, fresh: () => this.#fresh, session };
      const outcome = judgeAgain(caller, request, options);
      if (!(outcome instanceof Promise)) return settle(outcome);
      return outcome.then(settle).catch((error: unknown) => this.#failed(caller.kind, error));
    } catch (error) {
      return this.#failed(caller.kind, error);
    }
  }

  get #fresh(): boolean {
    return this.#options.runtime.ended.staleMs <= this.#options.freshMs;
  }

  #token(token: string, request: AuthorizationSource, now: number, peer: Peer | undefined): Outcome | Promise<Outcome> {
    const verified = this.verifier.recall(token) ?? this.#examine(token, request, peer);
    if (verified.ok) return this.#admitToken(verified.derived, request.rawHeaders, now);
    return 'answer' in verified ? verified : this.#refuseToken(token, verified.reason, request);
  }

  /** What has run out may be renewed on its way, where the request brings what that takes. */
  #refuseToken(token: string, reason: RefusalReason, request: AuthorizationSource): Outcome | Promise<Outcome> {
    const renewed = reason === 'token_expired' ? this.renewer?.attempt(token, request) : undefined;
    return renewed ?? refusal('jwt', reason);
  }

  /** A proof is a signature of its own, so each request costs what an examination does. */
  #boundToken(token: string, request: JudgedRequest, now: number, peer: Peer | undefined): Outcome | Promise<Outcome> {
    if (this.#bound === undefined) return refusal('jwt', 'token_bound');
    const { budget, addresses } = this.#options;
    const examination = budget.enterToken(peer === undefined ? undefined : addresses.of(peer, request.rawHeaders));
    if (isRefusal(examination)) return examination;
    const verified = this.#bound.verify(token, request.proved?.() ?? request);
    const refused = !verified.ok && MADE_UP.has(verified.reason) ? 'bad' : 'neutral';
    budget.settleToken(examination, verified.ok ? 'good' : refused);
    return verified.ok ? this.#admitToken(verified.derived, request.rawHeaders, now) : refusal('jwt', verified.reason);
  }

  /** A token that was not seen before, within the budget of whoever sends it. */
  #examine(token: string, { rawHeaders }: AuthorizationSource, peer: Peer | undefined): Verification<Caller | undefined> | Refusal {
    const { budget, addresses } = this.#options;
    const examination = budget.enterToken(peer === undefined ? undefined : addresses.of(peer, rawHeaders));
    if (isRefusal(examination)) return examination;
    const verified = this.verifier.verify(token);
    // What has only run out is sent by honest clients too.
    const refused = verified.ok || verified.reason !== 'token_signature_invalid' ? 'neutral' : 'bad';
    budget.settleToken(examination, verified.ok ? 'good' : refused);
    return verified;
  }

  /** A session token is random to whoever looks at it: that there is no such session is known only when a shard has been asked. */
  #sessionToken(
    credential: SessionCredential,
    request: AuthorizationSource,
    now: number,
    peer: Peer | undefined,
  ): Outcome | Promise<Outcome> {
    const remembered = this.sessions.recall(credential);
    if (remembered !== undefined) return this.#admit(remembered, request.rawHeaders, now);
    const { budget, addresses } = this.#options;
    const name = nameOf(credential.key);
    const examination = budget.enterSession(name, peer === undefined ? undefined : addresses.of(peer, request.rawHeaders));
    if (examination !== undefined && isRefusal(examination)) return examination;
    const outcome = this.#session(credential, request.rawHeaders, now);
    if (examination === undefined) return outcome;
    return Promise.resolve(outcome).then((settled) => {
      const refused = !settled.ok && settled.code === 'session_unknown' ? 'bad' : 'neutral';
      budget.settleSession(examination, name, settled.ok ? 'good' : refused);
      return settled;
    });
  }

  #admitToken(caller: Caller | undefined, rawHeaders: readonly string[], now: number): Outcome | Promise<Outcome> {
    if (caller === undefined) return refusal('jwt', 'token_claims_invalid');
    if (!this.#fresh) return judgeStaleToken(caller, this.#options).catch((error: unknown) => this.#failed('jwt', error));
    caller.usage?.use(now);
    this.#touch(caller, now);
    this.comparison.consider(caller, rawHeaders, now);
    return caller;
  }

  /** `now` 0: only looking. */
  #session(credential: SessionCredential, rawHeaders: readonly string[] = NONE, now = 0): Outcome | Promise<Outcome> {
    try {
      const outcome = this.sessions.judge(credential);
      const admitted =
        outcome instanceof Promise
          ? outcome.then((settled) => this.#admit(settled, rawHeaders, now))
          : this.#admit(outcome, rawHeaders, now);
      return admitted instanceof Promise ? admitted.catch((error: unknown) => this.#failed(credential.kind, error)) : admitted;
    } catch (error) {
      return this.#failed(credential.kind, error);
    }
  }

  /** The policy of the moment for a user with a session; and his touch, unless the application does it. */
  #admit(outcome: Outcome, rawHeaders: readonly string[], now: number): Outcome | Promise<Outcome> {
    if (!outcome.ok) return outcome;
    const { policy } = this.#options.rollout;
    if (now === 0) return policy.accepts(outcome) ? outcome : refusal(outcome.kind, 'credential_kind_refused');
    const admitted = policy.admit(outcome, rawHeaders, now);
    if (outcome.kind === 'session_token' && !(admitted instanceof Promise) && admitted.ok) this.#touch(outcome, now);
    if (!(admitted instanceof Promise)) return admitted;
    return admitted.then((settled) => {
      if (outcome.kind === 'session_token' && settled.ok) this.#touch(outcome, now);
      return settled;
    });
  }

  #touch(caller: Caller, now: number): void {
    if (now < caller.touchDue || caller.sessionId === undefined) return;
    caller.touchDue = now + TOUCH_LOOK_MS;
    this.touches.use(caller.sessionId);
  }

  /** undefined: the claims are signed and still no identity can be written from them. */
  #tokenCaller({ sub, authorities, sid, client_id: clientId, username, gen }: AccessTokenClaims): Caller | undefined {
    try {
      const principal = {
        userId: sub,
        authorities,
        kind: 'jwt',
        clientId,
        ...(sid === undefined ? {} : { sessionId: sid }),
        ...(username === undefined ? {} : { username }),
      } as const;
      const caller = new Caller('jwt', principal, gen, this.#options.signer);
      const { usage, notes } = this.#options.rollout;
      caller.usage = usage?.of({ clientId, version: '' }, 'jwt');
      // Once for each token that is seen here: its client has stored it.
      if (caller.sessionId !== undefined) notes?.proof(caller.sessionId, clientId, this.#options.clock.now());
      return caller;
    } catch {
      return undefined;
    }
  }

  #sessionCaller(
    { kind, key }: SessionCredential,
    { userId, username, authorities, generation, clientId }: SessionFinding & { state: 'live' },
  ): Outcome {
    const principal = {
      userId,
      authorities,
      kind: 'session',
      sessionId: key.id.toString(),
      ...(clientId === undefined ? {} : { clientId }),
      ...(username === null ? {} : { username }),
    } as const;
    try {
      return new Caller(kind, principal, generation, this.#options.signer);
    } catch {
      return refusal(kind, 'session_undecodable');
    }
  }

  /** A store that did not answer, or a fault of ours: either way nobody can know who it is. */
  #failed(kind: CredentialKind, thrown: unknown): Outcome {
    const error = asWherryError(thrown);
    const now = this.#options.clock.monotonic();
    if (now - this.#loggedAt >= LOG_EVERY_MS) {
      this.#loggedAt = now;
      this.#options.log.warn('a credential could not be judged', { kind, code: error.code, error: error.cause ?? error });
    }
    return error.status === 503 ? refusal(kind, error.code) : refusalOf(kind, error);
  }
}
