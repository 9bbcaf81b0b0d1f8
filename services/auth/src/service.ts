import { Sealer, deriveKey, silentLogger, systemClock, type Component, type Logger } from '@wherry/core';
import { TrustedProxies, UnnamedProxy } from '@wherry/http';
import { apartFrom } from '@wherry/revocation';
import { TokenFamilies } from '@wherry/renewal';
import { RolloutState } from '@wherry/rollout';
import { SessionRuntime } from '@wherry/sessions';
import { SnowflakeIds } from '@wherry/shards';
import { KEY_TOPIC, KeyKeeper, KeyRing, KeyStore, RENEWAL_LIVES, checkTokenLives, createIssuer, createVerifier } from '@wherry/tokens';
import type { FastifyInstance } from 'fastify';
import { Clients } from './clients.ts';
import type { AuthContext } from './context.ts';
import { buildServer } from './http/server.ts';
import { audiencesOf, createOAuthContext } from './oauth/oauth-context.ts';
import type { AuthServiceOptions } from './options.ts';
import { EndpointLimits } from './limits/endpoint-limits.ts';
import { DeviceMarks } from './log-in-limits/device-marks.ts';
import { LogInLimits } from './log-in-limits/log-in-limits.ts';
import { requestAddress } from './log-in-limits/request-address.ts';
import { Passwords } from './passwords.ts';
import { RolloutSide } from './rollout/rollout-side.ts';
import { Upkeep } from './upkeep.ts';
import { UserEnds } from './user-ends.ts';
import { UserStore } from './users/user-store.ts';

/** The auth service: registration, log-in, tokens, log-out. */
export interface AuthService extends Component {
  /** The port that it listens on; 0 before `run`. */
  readonly port: number;
  /** The session side of this process. */
  readonly runtime: SessionRuntime;
  /** The families of renewals, as this process reaches them. */
  readonly families: TokenFamilies;
  /** Passwords computed so far, for those who check that a refusal costs as much as a log-in. */
  readonly passwordsComputed: number;
}

/**
 * Makes an auth service. It is ready when `run` resolves: the news are loaded, and a key signs or was waited for.
 * Errors: `config_invalid` for lives, clients and secrets that cannot be.
 */
export function createAuthService(options: AuthServiceOptions): AuthService {
  return new Service(options);
}

/** Longest time that a request may take; as long must what was ended be remembered. */
const LONGEST_REQUEST_MS = 60_000;
/** How long a repeated refresh token is answered with the same successor. */
const RENEWAL_GRACE_MS = 30_000;
const MOST_CLOCK_OFFSET_MS = 5000;
const DEFAULT_PROXY = 'loopback';
const CLOSE_IDLE_EVERY_MS = 50;

class Service implements AuthService {
  readonly name = 'auth';
  readonly runtime: SessionRuntime;
  readonly #options: AuthServiceOptions;
  readonly #log: Logger;
  readonly #context: AuthContext;
  readonly #ids: SnowflakeIds;
  readonly #keys: KeyRing;
  readonly #keeper: KeyKeeper;
  readonly #upkeep: Upkeep;
  #app: FastifyInstance | undefined;
  #draining = false;

  constructor(options: AuthServiceOptions) {
    const { control, shards, masterKey, accessTokenSeconds: lifeS, skewSeconds = 30, issuer, audience, source } = options;
    checkTokenLives({ lifeS, renewalWindowS: RENEWAL_LIVES * lifeS, absoluteLifeS: options.absoluteSeconds });
    const windowMs = RENEWAL_LIVES * lifeS * 1000;
    const log = options.log ?? silentLogger;
    const clock = options.clock ?? systemClock;
    const sealer = new Sealer(masterKey, 'signing-key');
    const trusted = options.trustedProxies ?? [DEFAULT_PROXY];
    const proxies = new TrustedProxies(trusted);
    const rollout = new RolloutState({ database: control, leaseValid: () => this.runtime.instance.leaseValid });
    this.#options = options;
    this.#log = log;
    this.#keys = new KeyRing({ database: control, staleMs: () => this.runtime.instance.staleMs(KEY_TOPIC), sealer });
    this.runtime = new SessionRuntime({
      control,
      shards,
      masterKey,
      role: 'auth',
      topics: [this.#keys, rollout],
      keepEndsMs: (lifeS + skewSeconds) * 1000 + LONGEST_REQUEST_MS,
      absoluteMs: options.absoluteSeconds * 1000,
      log,
      clock,
      ...(options.metrics === undefined ? {} : { metrics: options.metrics }),
    });
    this.#ids = new SnowflakeIds({ control, clock, log });
    const jwksMaxAgeS = options.jwksMaxAgeSeconds ?? 300;
    this.#keeper = new KeyKeeper({
      // A token that has expired is looked at again when it is renewed: its key has to be there for as long.
      store: new KeyStore({
        database: control,
        sealer,
        lifeS,
        skewMs: skewSeconds * 1000,
        jwksMaxAgeS,
        renewalGraceMs: windowMs,
      }),
      ring: this.#keys,
      instance: this.runtime.instance,
      mode: options.keyMode,
      log,
      clock,
      ...(options.keyReadyMs === undefined ? {} : { readyMs: options.keyReadyMs }),
      ...(options.algorithm === undefined ? {} : { alg: options.algorithm }),
      ...(options.rsaBits === undefined ? {} : { rsaBits: options.rsaBits }),
      ...(options.keyRotationSeconds === undefined ? {} : { rotateAfterMs: options.keyRotationSeconds * 1000 }),
    });
    // As gateways judge: a token of the signed-in is not out of date because somebody sets the clock of this machine.
    const judging = { now: () => this.runtime.instance.databaseNow(), monotonic: () => clock.monotonic() };
    const verifying = { keys: this.#keys, issuer, audience, maxLifeS: lifeS, skewMs: skewSeconds * 1000, clock: judging };
    const clients = new Clients(options.clients ?? [], options.operatorSecret);
    const audiences = audiencesOf(options, clients);
    const maxBearerRenewals = options.renewal?.bearerOnly?.maxRenewals ?? 0;
    const families = new TokenFamilies({
      maxBearerRenewals,
      shards,
      map: this.runtime.slots,
      windowMs,
      graceMs: Math.min(options.renewal?.graceMs ?? RENEWAL_GRACE_MS, windowMs),
      ...(options.renewal?.maxPerSession === undefined ? {} : { maxPerSession: options.renewal.maxPerSession }),
    });
    const rolloutSide = new RolloutSide({
      ...options.rollout,
      state: rollout,
      runtime: this.runtime,
      families,
      clients: clients.ids,
      log,
      ...(options.metrics === undefined ? {} : { metrics: options.metrics }),
    });
    this.#context = {
      runtime: this.runtime,
      legacy:
        source === undefined
          ? undefined
          : {
              cookie: source.cookie,
              sessions: this.runtime.carry({
                source: source.store,
                decode: source.decode,
                ...(source.defaultIdleMs === undefined ? {} : { defaultIdleMs: source.defaultIdleMs }),
              }),
            },
      keys: this.#keys,
      issuer: createIssuer({ keys: this.#keys, issuer, audience: [...audiences], lifeS }),
      verifier: createVerifier({ ...verifying, revocations: this.runtime.ended, cacheSize: 10_000 }),
      // Only what ends tokens of an issuer: sessions and users count as alive.
      endVerifier: createVerifier({
        ...verifying,
        revocations: apartFrom(this.runtime.ended, 'session', 'session_tokens', 'token', 'family', 'user'),
        cacheSize: 1000,
      }),
      expiredVerifier: createVerifier({
        ...verifying,
        audience: [...audiences],
        skewMs: windowMs + skewSeconds * 1000,
        // Whether a family can be renewed its own row says, and why not.
        revocations: apartFrom(this.runtime.ended, 'family'),
        cacheSize: 1000,
      }),
      rollout,
      rolloutSide,
      families,
      renewal: { reuseEndsSession: options.renewal?.reuseEndsSession ?? false, maxBearerRenewals },
      siblingKey: deriveKey(masterKey, 'sibling-session'),
      counts: { reused: 0 },
      ids: this.#ids,
      registration: {
        users: new UserStore({ shards, map: this.runtime.slots }),
        now: this.runtime.now,
        graceMs: options.registrationGraceMs ?? 60_000,
      },
      userEnds: new UserEnds(this.runtime, families, log, options.userEndOwedMs),
      passwords: new Passwords(options.passwords),
      checkPassword: options.checkPassword,
      logInLimits: new LogInLimits({
        control,
        limits: options.logInLimits ?? {},
        key: deriveKey(masterKey, 'log-in-limits'),
        log,
        clock,
        ...(options.metrics === undefined ? {} : { metrics: options.metrics }),
      }),
      deviceMarks: new DeviceMarks({
        key: deriveKey(masterKey, 'log-in-device'),
        now: this.runtime.now,
        lifeMs: (options.logInLimits?.knownAddressDays ?? 30) * 86_400_000,
      }),
      endpointLimits: new EndpointLimits(options.endpointLimits ?? {}, (request) => requestAddress(this.#context, request), clock),
      proxies,
      unnamedProxy:
        trusted.join() === DEFAULT_PROXY ? new UnnamedProxy({ proxies, setting: 'auth.trustedProxies', log, clock }) : undefined,
      clients,
      oauth: createOAuthContext(options, {
        clients,
        audiences,
        verifier: createVerifier({ ...verifying, audience: [...audiences], revocations: this.runtime.ended, cacheSize: 10_000 }),
        now: this.runtime.now,
        clock,
      }),
      now: this.runtime.now,
      idleMs: options.idleSeconds * 1000,
      absoluteMs: options.absoluteSeconds * 1000,
      tokenLifeMs: lifeS * 1000,
      jwksMaxAgeS,
      log,
    };
    this.#upkeep = new Upkeep(this.#context, options.upkeepMs ?? 30_000);
    this.#observe();
  }

  get port(): number {
    const address = this.#app?.server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  get families(): TokenFamilies {
    return this.#context.families;
  }

  get passwordsComputed(): number {
    return this.#context.passwords.computed;
  }

  async run(): Promise<void> {
    await this.runtime.run();
    await this.#ids.run();
    await this.#keeper.run();
    await this.#context.rolloutSide.run();
    const { log = silentLogger, metrics, host = '127.0.0.1', port = 0 } = this.#options;
    this.#app = await buildServer(this.#context, {
      log,
      metrics,
      health: { notReady: () => this.#notReady(), draining: () => this.#draining },
    });
    await this.#app.listen({ host, port });
    this.#upkeep.start();
    this.#log.info('auth listens', { host, port: this.port });
  }

  /** Takes no more connections, finishes the requests that are under way, and writes what was put off. */
  async drain(): Promise<void> {
    await this.#close();
    await this.#upkeep.stop();
    await this.runtime.drain();
  }

  async stop(): Promise<void> {
    await this.#close();
    await this.#upkeep.stop();
    await this.#context.rolloutSide.stop();
    await this.#keeper.stop();
    await this.#ids.stop();
    await this.runtime.stop();
  }

  /**
   * The server ends connections that are idle when it closes. One whose answer was just leaving, with the promise to be
   * kept, becomes idle a moment later and would hold the end up until its client goes.
   */
  async #close(): Promise<void> {
    this.#draining = true;
    const app = this.#app;
    if (app === undefined) return;
    const idle = setInterval(() => app.server.closeIdleConnections(), CLOSE_IDLE_EVERY_MS);
    try {
      await app.close();
    } finally {
      clearInterval(idle);
    }
  }

  #notReady(): string | undefined {
    if (this.#draining) return 'draining';
    if (Math.abs(this.runtime.instance.clockOffsetMs) > MOST_CLOCK_OFFSET_MS) return 'the clock is off by more than 5 s';
    try {
      this.#keys.signingKey();
      return undefined;
    } catch {
      return 'no key signs';
    }
  }

  #observe(): void {
    const { metrics } = this.#options;
    const { passwords, userEnds, verifier, counts } = this.#context;
    metrics?.observeCounter({ name: 'wherry_auth_passwords_total', help: 'Password hashes computed.' }, () => [
      { value: passwords.computed },
    ]);
    metrics?.observeGauge({ name: 'wherry_auth_passwords_waiting', help: 'Log-ins that wait for their hash.' }, () => [
      { value: passwords.waiting },
    ]);
    metrics?.observeGauge({ name: 'wherry_auth_user_ends_left', help: 'Users whose tombstones are not on every shard yet.' }, () => [
      { value: userEnds.left },
    ]);
    metrics?.observeCounter(
      { name: 'wherry_auth_renewals_reused_total', help: 'Refresh tokens used again, which ended their family.' },
      () => [{ value: counts.reused }],
    );
    metrics?.observeCounter({ name: 'wherry_auth_verifier_hits_total', help: 'Access tokens known from an earlier request.' }, () => [
      { value: verifier.stats.hits },
    ]);
  }
}
