import { asWherryError, type Clock, type Logger } from '@wherry/core';
import type { Database } from '@wherry/core/control';
import type { AuthorizationSource, IdentitySigner } from '@wherry/http';
import type { CarriedSessions, SessionCookie, SessionRuntime } from '@wherry/sessions';
import type { Caller } from './caller.ts';
import { Comparison } from './comparison.ts';
import { Counts } from './counts.ts';
import { credentialOf, ordinaryBearer } from './credential.ts';
import type { ClientAddresses, Peer } from './limits/client-addresses.ts';
import type { ExaminationBudget } from './limits/examination-budget.ts';
import type { GatewayTokens } from './options.ts';
import { refusal, refusalOf, type CredentialKind, type Outcome } from './outcome.ts';
import type { RolloutSide } from './rollout/rollout-side.ts';
import { judgeAgain } from './second-look.ts';
import { SessionJudge } from './session-judge.ts';
import { TokenJudge, type JudgedRequest, type TokenJudgeOptions } from './token-judge.ts';
import { Touches } from './touches.ts';
import { WarmUp } from './warm/warm-up.ts';

/** Options of {@link Authenticator}. */
export interface AuthenticatorOptions {
  readonly tokens: GatewayTokens;
  readonly runtime: SessionRuntime;
  readonly rollout: RolloutSide;
  readonly renewal: TokenJudgeOptions['renewal'];
  readonly carried: CarriedSessions | undefined;
  readonly cookie: SessionCookie | undefined;
  readonly signer: IdentitySigner | undefined;
  readonly cacheSize: number;
  readonly cacheTtlMs: number;
  readonly cacheSource: boolean;
  readonly freshMs: number;
  readonly origin: string | undefined;
  readonly budget: ExaminationBudget;
  readonly addresses: ClientAddresses;
  readonly reports: Database | undefined;
  readonly reportMs: number;
  readonly warm: boolean;
  readonly clock: Clock;
  readonly log: Logger;
}

/** How often a token or session in memory asks whether it is time for a touch, milliseconds. */
const TOUCH_LOOK_MS = 1000;
const LOG_EVERY_MS = 1000;

/** Judges each request: credential, then principal, then policy. The way of a token that was seen before makes no promise. */
export class Authenticator {
  readonly counts: Counts = new Counts();
  readonly tokens: TokenJudge;
  readonly sessions: SessionJudge;
  readonly touches: Touches;
  readonly comparison: Comparison;
  readonly warmUp: WarmUp;
  readonly #options: AuthenticatorOptions;
  #loggedAt = Number.NEGATIVE_INFINITY;

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
    const { runtime, carried, cookie, clock, rollout } = options;
    this.tokens = new TokenJudge({
      ...options,
      fresh: () => this.#fresh,
      onUse: (caller, rawHeaders, now) => {
        this.#touch(caller, now);
        this.comparison.consider(caller, rawHeaders, now);
      },
    });
    this.sessions = new SessionJudge({
      ...options,
      policy: rollout.policy,
      fresh: () => this.#fresh && runtime.instance.staleMs(runtime.slots.topic) <= options.freshMs,
      onUse: (caller, now) => this.#touch(caller, now),
    });
    const { hot, cache } = this.sessions;
    this.warmUp = new WarmUp({
      runtime,
      hot,
      cache,
      reports: options.reports,
      everyMs: options.reportMs,
      ahead: options.warm,
      log: options.log,
    });
    this.touches = new Touches({ runtime, carried, clock });
    this.comparison = new Comparison({
      cookie: carried === undefined ? undefined : cookie,
      judge: (credential) => this.sessions.look(credential),
      stillHolds: ({ sessionId, generation, principal }) =>
        (sessionId === undefined || !runtime.ended.isSessionEnded(sessionId.toString())) &&
        generation >= runtime.ended.minimumGeneration(principal.userId),
      onCompared: (caller, difference) => {
        if (difference !== 'unknown') rollout.arms?.compared(caller, difference !== 'same');
      },
    });
  }

  /** Who sends a request, or why that is not known. Never throws, never rejects. `now`: epoch ms; `peer`: the other end of its connection. */
  judge(request: JudgedRequest, now: number, peer?: Peer): Outcome | Promise<Outcome> {
    const token = ordinaryBearer(request);
    const outcome = this.#judge(token, request, now, peer);
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

  /**
   * Whether the caller of a request that is still under way would be let in as the same one now. `used`: he has sent
   * something meanwhile, which keeps his session alive as a request does. Never throws, never rejects.
   */
  judgeAgain(caller: Caller, request: AuthorizationSource, used: boolean): Outcome | Promise<Outcome> {
    const { keys } = this.#options.tokens;
    const { verifier } = this.tokens;
    const outcome = this.#safely(caller.kind, () =>
      judgeAgain(caller, request, {
        ...this.#options,
        keys,
        verifier,
        fresh: () => this.#fresh,
        session: (named) => this.sessions.look(named),
      }),
    );
    const settle = (settled: Outcome): Outcome => {
      if (settled.ok && used && caller.kind !== 'cookie') this.#touch(caller, Date.now());
      return settled;
    };
    return outcome instanceof Promise ? outcome.then(settle) : settle(outcome);
  }

  #judge(token: string | undefined, request: JudgedRequest, now: number, peer: Peer | undefined): Outcome | Promise<Outcome> {
    // `{"` in base64url: what begins like this is a JWT or nothing, and was most likely seen before.
    if (token?.startsWith('eyJ') === true) {
      const known = this.tokens.recall(token, request.rawHeaders, now);
      if (known !== undefined) return known instanceof Promise ? known.catch((error: unknown) => this.#failed('jwt', error)) : known;
    }
    const credential = credentialOf(request, this.#options.cookie);
    switch (credential.kind) {
      case 'jwt':
        return this.#safely('jwt', () => this.tokens.judge(credential.token, request, now, peer));
      case 'bound_jwt':
        return this.#safely('jwt', () => this.tokens.judgeBound(credential.token, request, now, peer));
      case 'refused':
        return credential.refusal;
      case 'session_token':
        return this.#safely(credential.kind, () => this.sessions.judgeUnproved(credential, request, now, peer));
      case 'cookie':
        return this.#safely(credential.kind, () =>
          // What the application has signed nobody can make up.
          this.#options.cookie?.signed === true
            ? this.sessions.judge(credential, request.rawHeaders, now)
            : this.sessions.judgeUnproved(credential, request, now, peer),
        );
    }
  }

  get #fresh(): boolean {
    return this.#options.runtime.ended.staleMs <= this.#options.freshMs;
  }

  #touch(caller: Caller, now: number): void {
    if (now < caller.touchDue || caller.sessionId === undefined) return;
    caller.touchDue = now + TOUCH_LOOK_MS;
    this.touches.use(caller.sessionId);
  }

  /** What was thrown becomes a refusal, whether at once or later. */
  #safely(kind: CredentialKind, judge: () => Outcome | Promise<Outcome>): Outcome | Promise<Outcome> {
    try {
      const outcome = judge();
      return outcome instanceof Promise ? outcome.catch((error: unknown) => this.#failed(kind, error)) : outcome;
    } catch (error) {
      return this.#failed(kind, error);
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
