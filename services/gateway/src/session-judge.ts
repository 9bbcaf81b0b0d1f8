import type { Clock } from '@wherry/core';
import type { AuthorizationSource, IdentitySigner } from '@wherry/http';
import type { CarriedSessions, SessionRuntime } from '@wherry/sessions';
import { Caller } from './caller.ts';
import type { SessionCredential } from './credential.ts';
import type { ClientAddresses, Peer } from './limits/client-addresses.ts';
import { isRefusal, type ExaminationBudget } from './limits/examination-budget.ts';
import { refusal, type Outcome } from './outcome.ts';
import type { SessionPolicy } from './rollout/session-policy.ts';
import { SessionCache, nameOf } from './session-cache.ts';
import { SessionReader, type SessionFinding } from './session-reader.ts';
import { HotCounter } from './warm/hot-counter.ts';

/** Options of {@link SessionJudge}. */
export interface SessionJudgeOptions {
  readonly runtime: SessionRuntime;
  readonly policy: SessionPolicy;
  readonly carried: CarriedSessions | undefined;
  readonly signer: IdentitySigner | undefined;
  readonly cacheSize: number;
  readonly cacheTtlMs: number;
  readonly cacheSource: boolean;
  readonly budget: ExaminationBudget;
  readonly addresses: ClientAddresses;
  /** Whether news of revocations and of the slot map are recent enough to believe a memory. */
  readonly fresh: () => boolean;
  /** Told of each request that passes by a session token; of those by cookie the application knows. */
  readonly onUse: (caller: Caller, now: number) => void;
  readonly clock: Clock;
}

/** Judges requests by the session that they name: reading, then policy. */
export class SessionJudge {
  readonly cache: SessionCache;
  readonly hot: HotCounter;
  readonly #options: SessionJudgeOptions;

  constructor(options: SessionJudgeOptions) {
    this.#options = options;
    const { runtime, carried, cacheSize: size, cacheTtlMs: ttlMs, cacheSource: source, fresh, clock } = options;
    this.hot = new HotCounter({ clock });
    const reader = new SessionReader({ runtime, carried });
    this.cache = new SessionCache({ runtime, reader, size, ttlMs, source, fresh, clock, callerOf: (...found) => this.#callerOf(...found) });
  }

  /**
   * By a session token, or a cookie that nobody has signed. It is random to whoever looks at it: that there is no such session
   * is known only when a store has been asked, which is done within the budget of whoever sends it. Rejects as the stores do.
   */
  judgeUnproved(
    credential: SessionCredential,
    request: AuthorizationSource,
    now: number,
    peer: Peer | undefined,
  ): Outcome | Promise<Outcome> {
    const { rawHeaders } = request;
    const remembered = this.cache.recall(credential);
    if (remembered !== undefined) return this.#admit(credential, remembered, rawHeaders, now);
    const { budget, addresses } = this.#options;
    const name = nameOf(credential.key);
    const examination = budget.enterSession(credential.kind, name, peer === undefined ? undefined : addresses.of(peer, rawHeaders));
    if (examination !== undefined && isRefusal(examination)) return examination;
    const outcome = this.judge(credential, rawHeaders, now);
    if (examination === undefined) return outcome;
    return Promise.resolve(outcome).then(
      (settled) => {
        const refused = !settled.ok && settled.code === 'session_unknown' ? 'bad' : 'neutral';
        budget.settleSession(examination, name, settled.ok ? 'good' : refused);
        return settled;
      },
      (error: unknown) => {
        // A store that does not answer is nobody's fault out there.
        budget.settleSession(examination, name, 'neutral');
        throw error;
      },
    );
  }

  /** By a session token or a cookie. Rejects as the stores do. */
  judge(credential: SessionCredential, rawHeaders: readonly string[], now: number): Outcome | Promise<Outcome> {
    const outcome = this.cache.judge(credential);
    return outcome instanceof Promise
      ? outcome.then((settled) => this.#admit(credential, settled, rawHeaders, now))
      : this.#admit(credential, outcome, rawHeaders, now);
  }

  /** The same for those who only look: it is no use of the session. */
  async look(credential: SessionCredential): Promise<Outcome> {
    const outcome = await this.cache.judge(credential);
    return !outcome.ok || this.#options.policy.accepts(outcome) ? outcome : refusal(outcome.kind, 'credential_kind_refused');
  }

  #admit(credential: SessionCredential, outcome: Outcome, rawHeaders: readonly string[], now: number): Outcome | Promise<Outcome> {
    if (!outcome.ok) return outcome;
    this.hot.use(credential);
    const { policy, onUse } = this.#options;
    const used = (settled: Outcome): Outcome => {
      if (settled.ok && outcome.kind === 'session_token') onUse(outcome, now);
      return settled;
    };
    const admitted = policy.admit(outcome, rawHeaders, now);
    return admitted instanceof Promise ? admitted.then(used) : used(admitted);
  }

  #callerOf(
    { kind, key }: Pick<SessionCredential, 'kind' | 'key'>,
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
}
