import { WherryError, type Component, type Logger, type Metrics } from '@wherry/core';
import type { TokenFamilies } from '@wherry/renewal';
import {
  ClientNaming,
  ClientUsage,
  RolloutGuard,
  RolloutMeter,
  deprecationHeaders,
  type RolloutState,
  type UsedCredential,
} from '@wherry/rollout';
import type { SessionRuntime } from '@wherry/sessions';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ADVICE_HEADER } from '../access-tokens.ts';
import { ForcedSignOuts } from './forced-sign-outs.ts';
import type { RolloutOptions } from './options.ts';

/** What {@link RolloutSide} works with. */
export interface RolloutSideOptions extends RolloutOptions {
  readonly state: RolloutState;
  readonly runtime: SessionRuntime;
  readonly families: TokenFamilies;
  /** Ids of the clients that the service knows. */
  readonly clients: readonly string[];
  readonly log: Logger;
  readonly metrics?: Metrics;
}

/** A session credential that was used. */
export interface SessionUse {
  readonly userId: string;
  /** Id of its row, decimal text. */
  readonly sessionId: string | undefined;
  /** As far as the credential, or the client by itself, says. */
  readonly clientId: string | undefined;
  readonly kind: 'session_token' | 'cookie';
}

/** What the rollout needs of an auth service: that it keeps to the policy, says what it sees, and looks after the phases. */
export class RolloutSide implements Component {
  readonly name = 'auth-rollout';
  readonly #state: RolloutState;
  readonly #families: TokenFamilies;
  readonly #now: () => number;
  readonly #naming: ClientNaming;
  readonly #usage: ClientUsage;
  readonly #meter: RolloutMeter;
  readonly #guard: RolloutGuard | undefined;
  readonly #deprecation: Readonly<Record<string, string>>;
  readonly #forced = new ForcedSignOuts();

  /** Errors: `config_invalid`. */
  constructor(options: RolloutSideOptions) {
    const { state, runtime, families, clients, userAgents = [], guard, log, metrics } = options;
    const { control: database, now } = runtime;
    this.#state = state;
    this.#families = families;
    this.#now = now;
    this.#naming = new ClientNaming({ clients, userAgents });
    this.#usage = new ClientUsage({ database, instanceId: () => runtime.instance.id, role: 'auth', now, log });
    this.#meter = new RolloutMeter({ database, course: () => state.course, log });
    this.#deprecation = deprecationHeaders(options);
    if (guard !== undefined)
      this.#guard = new RolloutGuard({
        database,
        ...guard,
        familiesAlive: () => families.aliveAny(),
        ...(metrics === undefined ? {} : { metrics }),
        log,
      });
  }

  async run(): Promise<void> {
    await this.#usage.run();
    await this.#meter.run();
    await this.#guard?.run();
  }

  /** Says the last of what was seen. */
  async stop(): Promise<void> {
    await this.#guard?.stop();
    await this.#meter.stop();
    await this.#usage.stop();
  }

  /** A request by access token. */
  usedToken(request: FastifyRequest, clientId: string | undefined): void {
    this.#count(request, clientId, 'jwt');
  }

  /** A request by session credential, accepted or not. Answers the client's name. */
  usedSession(request: FastifyRequest, { clientId, kind }: Pick<SessionUse, 'clientId' | 'kind'>): string {
    return this.#count(request, clientId, kind);
  }

  /**
   * A request that is judged by a session credential which holds: counted, refused where none is accepted any more, and told
   * that it will not be for ever where its client is led. Errors: `credential_kind_refused`.
   */
  admit(request: FastifyRequest, reply: FastifyReply, use: SessionUse): void {
    const clientId = this.usedSession(request, use);
    const { acceptSessions, minimum, leadToJwt } = this.#state.policyFor(use.userId, clientId);
    if (!acceptSessions) throw new WherryError('credential_kind_refused', 'session tokens and cookies are not accepted any more');
    if (leadToJwt) reply.header(ADVICE_HEADER, 'access-token');
    if (minimum === 'any') return;
    reply.headers(this.#deprecation);
    // Its client still needs it: what is not noted now is noted with the next use.
    if (use.sessionId !== undefined)
      void this.#families.noteSessionTokenUse(BigInt(use.sessionId), clientId, this.#now()).catch(() => undefined);
  }

  /** A renewal of a family that the bearer has proved. `forced`: it failed for no doing of the user's. */
  renewed(userId: string, clientId: string, outcome: 'ok' | 'failed' | 'forced'): void {
    this.#meter.renewal(this.#state.policyFor(userId, clientId).arm, outcome === 'ok' ? 'ok' : 'failed');
    if (outcome === 'forced') this.#forced.refused(userId, this.#now());
  }

  /** A user has signed in. */
  signedIn(userId: string, clientId: string): void {
    if (this.#forced.signedIn(userId, this.#now())) this.#meter.loginAfterSignOut(this.#state.policyFor(userId, clientId).arm);
  }

  #count(request: FastifyRequest, clientId: string | undefined, kind: UsedCredential): string {
    const client = this.#naming.name(request.raw.rawHeaders, clientId);
    this.#usage.of(client, kind).use(this.#now());
    return client.clientId;
  }
}
