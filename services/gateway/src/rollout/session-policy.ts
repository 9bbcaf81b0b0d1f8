import type { ClientEvidence, TokenFamilies } from '@wherry/renewal';
import { enforcedMinimum, type ClientNaming, type ClientUsage, type RolloutPolicy, type RolloutState } from '@wherry/rollout';
import type { Caller } from '../caller.ts';
import { refusal, type Outcome } from '../outcome.ts';
import type { ResponseHeaders } from '../respond.ts';
import type { EvidenceNotes } from './evidence-notes.ts';

/** Options of {@link SessionPolicy}. */
export interface SessionPolicyOptions {
  readonly rollout: RolloutState;
  readonly naming: ClientNaming;
  readonly usage: ClientUsage | undefined;
  /** Where it is known what clients have shown; absent: of nobody. */
  readonly families: Pick<TokenFamilies, 'evidenceOf'> | undefined;
  readonly notes: EvidenceNotes | undefined;
  /** Go back with answers to deprecated credentials. */
  readonly deprecation: ResponseHeaders;
}

/** How long what a client has shown is believed without reading it again, milliseconds. */
const EVIDENCE_MS = 5000;

/**
 * What the rollout makes of a request whose session credential holds. In order: it is counted for its client, refused
 * where no session credential is accepted any more, or where this client has shown that it can do without, and else
 * answered with headers that say it will not be for ever.
 */
export class SessionPolicy {
  readonly #options: SessionPolicyOptions;
  #led = 0;

  constructor(options: SessionPolicyOptions) {
    this.#options = options;
  }

  /** Requests by users who are led to access tokens. */
  get led(): number {
    return this.#led;
  }

  /** Whether any session credential of this user is accepted, for those who only look. */
  accepts(caller: Caller): boolean {
    return this.#options.rollout.policyFor(caller.principal.userId, caller.principal.clientId).acceptSessions;
  }

  /** `now`: epoch ms. Rejects never: what cannot be read is taken for not shown. */
  admit(caller: Caller, rawHeaders: readonly string[], now: number): Outcome | Promise<Outcome> {
    const { rollout, naming, usage, notes } = this.#options;
    const client = naming.name(rawHeaders, caller.principal.clientId);
    usage?.of(client, caller.kind === 'cookie' ? 'cookie' : 'session_token').use(now);
    const policy = rollout.policyFor(caller.principal.userId, client.clientId);
    if (policy.leadToJwt) this.#led++;
    if (!policy.acceptSessions) return refusal(caller.kind, 'credential_kind_refused');
    if (policy.minimum === 'any') return caller;
    const { sessionId } = caller;
    if (sessionId === undefined) return this.#deprecated(caller);
    if (policy.minimum === 'preferred') {
      notes?.sessionUse(sessionId, client.clientId, now);
      return this.#deprecated(caller);
    }
    return this.#enforce(caller, sessionId, client.clientId, policy, now);
  }

  async #enforce(caller: Caller, sessionId: bigint, clientId: string, policy: RolloutPolicy, now: number): Promise<Outcome> {
    const evidence = await this.#evidence(caller, sessionId, now);
    const shown = evidence.find((entry) => entry.clientId === clientId);
    if (enforcedMinimum(policy, shown, now) === 'only') return refusal(caller.kind, 'session_token_superseded');
    // Only an accepted use keeps the session token of a client alive: one that is refused learns by that.
    this.#options.notes?.sessionUse(sessionId, clientId, now);
    return this.#deprecated(caller);
  }

  async #evidence(caller: Caller, sessionId: bigint, now: number): Promise<readonly ClientEvidence[]> {
    if (caller.evidence !== undefined && now >= caller.evidenceAt && now < caller.evidenceAt + EVIDENCE_MS) return caller.evidence;
    caller.evidence = (await this.#options.families?.evidenceOf(sessionId).catch(() => undefined)) ?? [];
    caller.evidenceAt = now;
    return caller.evidence;
  }

  /** The same headers for everybody, so the caller that carries them is made once. */
  #deprecated(caller: Caller): Caller {
    return (caller.deprecated ??= caller.responding(this.#options.deprecation));
  }
}
