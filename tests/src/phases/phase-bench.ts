import { randomBytes } from 'node:crypto';
import { authControlSchema, authShardSchema, createAuthService, type AuthServiceOptions } from '@wherry/auth';
import { Sealer, pause, systemClock } from '@wherry/core';
import type { Database } from '@wherry/core/control';
import { createMetrics } from '@wherry/core/metrics';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { createGateway } from '@wherry/gateway';
import { TokenFamilies, tokenFamilySchema } from '@wherry/renewal';
import { REVOCATION_TOPIC, revocationSchema } from '@wherry/revocation';
import { RolloutState, rolloutSchema, type RolloutPolicy } from '@wherry/rollout';
import {
  ExpressCookie,
  SessionRuntime,
  expressJsonDecoder,
  sessionsControlSchema,
  type CarriedSessions,
  type SessionDecoder,
  type SourceStore,
} from '@wherry/sessions';
import { createRedisSource } from '@wherry/sessions/redis';
import { sessionsShardSchema } from '@wherry/sessions/sql';
import { startCluster, type Addresses, type Cluster } from '@wherry/shards/testing';
import { KEY_TOPIC, KeyRing, createIssuer, tokensSchema, type Issuer } from '@wherry/tokens';
import { holdDatabase, type HeldDatabase } from './held-database.ts';
import { OwnClock } from './own-clock.ts';

/** 32 bytes, of all services. */
export const MASTER_KEY: Uint8Array = Buffer.alloc(32, 9);
const ISSUER = 'https://auth.test';
const AUDIENCE = 'test';
/** Life of an access token, seconds; a test is over sooner. */
export const TOKEN_S = 300;
/** Longest life of a session, milliseconds. */
export const SESSION_MS = 86_400_000;
/** Longer than a busy machine stands still; a process that is cut off stands still for longer. */
const LEASE_MS = 60_000;
/** What a process is cut off for, as it sees it: no lease is valid after that, and no news are new. */
export const CUT_OFF_MS: number = 2 * LEASE_MS;

/** A process with a clock and a way to the control database of its own, in this one. */
export interface PhaseNode extends AsyncDisposable {
  readonly name: string;
  readonly role: 'auth' | 'gateway';
  readonly url: string;
  readonly clock: OwnClock;
  readonly control: HeldDatabase;
  readonly runtime: SessionRuntime;
  /** What it makes of a user now; undefined where it does not say. */
  policyFor(userId: string): RolloutPolicy | undefined;
  /** Nobody waits for it any more, and it knows: it was cut off for longer than its lease. */
  lapse(): Promise<void>;
  /** It hears everything again, and acts on it. */
  mend(): Promise<void>;
}

/** Databases and a source, and the services on them. */
export class PhaseBench implements AsyncDisposable {
  readonly cluster: Cluster;
  readonly source: SourceStore;
  readonly cookie: ExpressCookie = new ExpressCookie({ secrets: ['a secret for tests'] });
  readonly #redisUrl: string;
  readonly #prefix: string;
  readonly #nodes = new Set<PhaseNode>();
  readonly #decode: SessionDecoder = expressJsonDecoder({
    identity: { userId: 'user.id', username: 'user.name', authorities: ['user.roles'] },
  });
  /** Saves sessions as an instrumented application does. */
  readonly carried: CarriedSessions;
  /** Signs as auth does. */
  readonly issuer: Issuer;
  readonly #application: SessionRuntime;

  private constructor(cluster: Cluster, redisUrl: string) {
    this.cluster = cluster;
    this.#redisUrl = redisUrl;
    this.#prefix = `phases-${randomBytes(6).toString('hex')}:`;
    this.source = this.#openSource();
    const { control, shards } = cluster;
    const keys = keyRing(control, () => this.#application);
    // Of a role that accepts no sessions: what it sees is no use of them.
    this.#application = new SessionRuntime({ control, shards, masterKey: MASTER_KEY, role: 'migrator', topics: [keys], leaseMs: LEASE_MS });
    this.carried = this.#application.carry({ source: this.source, decode: this.#decode });
    this.issuer = createIssuer({ keys, issuer: ISSUER, audience: AUDIENCE, lifeS: TOKEN_S });
  }

  /** `redisUrl`: of the source, by whichever way its readers come to it. The shards are on `shardServerUrl`. */
  static async create(postgresUrl: string, redisUrl: string, shardServerUrl: string = postgresUrl): Promise<PhaseBench> {
    const cluster = await startCluster(postgresUrl, {
      side: 'source',
      shardServerUrl,
      controlSchema: [revocationSchema, tokensSchema, rolloutSchema, sessionsControlSchema, authControlSchema],
      shardSchema: [sessionsShardSchema, authShardSchema, tokenFamilySchema],
    });
    const bench = new PhaseBench(cluster, redisUrl);
    await bench.#application.run();
    return bench;
  }

  get nodes(): readonly PhaseNode[] {
    return [...this.#nodes];
  }

  async auth(name: string, options: Partial<AuthServiceOptions> & { readonly addresses?: Addresses } = {}): Promise<PhaseNode> {
    const { addresses, ...rest } = options;
    const { control, shards } = this.cluster.connect(addresses);
    const held = holdDatabase(control);
    const clock = new OwnClock();
    const source = this.#openSource();
    const service = createAuthService({
      control,
      shards,
      clock,
      masterKey: MASTER_KEY,
      issuer: ISSUER,
      audience: AUDIENCE,
      accessTokenSeconds: TOKEN_S,
      idleSeconds: 1800,
      absoluteSeconds: SESSION_MS / 1000,
      keyMode: 'shared',
      clients: [{ id: 'page' }],
      passwords: { memoryKib: 64, passes: 1, maxWaiting: 128 },
      source: { store: source, decode: this.#decode, cookie: this.cookie },
      ...rest,
    });
    await service.run?.();
    const { runtime } = service;
    const stop = async (): Promise<void> => {
      await service.drain?.(AbortSignal.timeout(5000));
      await service.stop?.();
      await shards.stop();
      await control.end();
      await source.close();
    };
    const url = `http://127.0.0.1:${service.port}`;
    return this.#add({ name, role: 'auth', url, clock, control: held, runtime }, { policyFor: () => undefined, stop });
  }

  /** A gateway that has access tokens renewed by `auth`, where one is given. */
  async gateway(name: string, auth?: Pick<PhaseNode, 'url'>, addresses?: Addresses): Promise<PhaseNode> {
    const { control, shards } = this.cluster.connect(addresses);
    const held = holdDatabase(control);
    const clock = new OwnClock();
    const source = this.#openSource();
    const keys = keyRing(control, () => runtime);
    const rollout: RolloutState = new RolloutState({ database: control, leaseValid: () => runtime.instance.leaseValid });
    const runtime: SessionRuntime = new SessionRuntime({
      control,
      shards,
      masterKey: MASTER_KEY,
      role: 'gateway',
      topics: [keys, rollout],
      absoluteMs: SESSION_MS,
      leaseMs: LEASE_MS,
      clock,
    });
    await runtime.run();
    const carried = runtime.carry({ source, decode: this.#decode });
    const gateway = createGateway({
      host: '127.0.0.1',
      port: 0,
      routes: [],
      tokens: { keys, issuer: ISSUER, audience: AUDIENCE, maxLifeS: TOKEN_S },
      runtime,
      rollout,
      reports: control,
      families: new TokenFamilies({ shards, map: runtime.slots, windowMs: 2 * TOKEN_S * 1000, deadlineMs: PATIENT_MS }),
      clients: { clients: ['page'] },
      metrics: createMetrics(),
      carried,
      cookie: this.cookie,
      clock,
      ...(auth === undefined ? {} : { renewal: { authUrl: auth.url, timeoutMs: PATIENT_MS } }),
    });
    await gateway.run();
    const stop = async (): Promise<void> => {
      await gateway.drain(AbortSignal.timeout(5000));
      await gateway.stop();
      await runtime.drain();
      await runtime.stop();
      await shards.stop();
      await control.end();
      await source.close();
    };
    const url = `http://127.0.0.1:${gateway.port}`;
    return this.#add(
      { name, role: 'gateway', url, clock, control: held, runtime },
      { policyFor: (userId) => rollout.policyFor(userId), stop },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Gateways first: they ask auth.
    for (const node of this.nodes.toReversed()) await node[Symbol.asyncDispose]();
    await this.#application.drain();
    await this.#application.stop();
    await this.source.close();
    await this.cluster[Symbol.asyncDispose]();
  }

  #openSource(): SourceStore {
    return createRedisSource({ url: this.#redisUrl, prefix: this.#prefix, timeoutMs: PATIENT_MS });
  }

  #add(
    parts: Pick<PhaseNode, 'name' | 'role' | 'url' | 'clock' | 'control' | 'runtime'>,
    { policyFor, stop }: Pick<PhaseNode, 'policyFor'> & { readonly stop: () => Promise<void> },
  ): PhaseNode {
    const { clock, control, runtime } = parts;
    let ended: Promise<void> | undefined;
    const node: PhaseNode = {
      ...parts,
      policyFor,
      lapse: async () => {
        const { id } = runtime.instance;
        control.cut();
        clock.leap(CUT_OFF_MS);
        await this.cluster.control.query('UPDATE instance SET lease_until = 0 WHERE id = $1', [id]);
      },
      mend: async () => {
        control.release();
        await this.#caughtUp(node);
      },
      [Symbol.asyncDispose]: () => {
        control.release();
        this.#nodes.delete(node);
        ended ??= stop();
        return ended;
      },
    };
    this.#nodes.add(node);
    return node;
  }

  /** Until it acts on the newest version of the rollout, and the database knows. */
  async #caughtUp({ name, control, runtime }: PhaseNode): Promise<void> {
    const deadline = systemClock.monotonic() + PATIENT_MS;
    for (;;) {
      const { rows } = await this.cluster.control.query<{ version: bigint; acted: boolean | null }>(
        `SELECT version, (SELECT (acked->>'rollout')::bigint >= r.seq AND lease_until > wherry_now() FROM instance WHERE id = $1) AS acted
         FROM rollout r`,
        [runtime.instance.id],
      );
      const [row] = rows;
      if (row?.acted === true && runtime.instance.leaseValid && control.rolloutVersion === Number(row.version)) return;
      if (systemClock.monotonic() > deadline) throw new Error(`${name} does not follow the rollout`);
      runtime.instance.poke();
      await pause(5);
    }
  }

  /** Until every process but these acts on the newest version. */
  async settled(except: ReadonlySet<PhaseNode> = new Set()): Promise<void> {
    await Promise.all(this.nodes.filter((node) => !except.has(node)).map((node) => this.#caughtUp(node)));
  }

  /** Until every process acts on all ends so far. The answer to a log-out says so only where a second is enough for it. */
  async endsHeard(): Promise<void> {
    const { rows } = await this.cluster.control.query<{ seq: bigint }>('SELECT seq FROM feed_topic WHERE topic = $1', [REVOCATION_TOPIC]);
    const heard = await this.#application.instance.acknowledged(REVOCATION_TOPIC, rows[0]?.seq ?? 0n, PATIENT_MS);
    if (!heard) throw new Error('a process has not heard of an end');
  }
}

function keyRing(database: Database, runtime: () => SessionRuntime): KeyRing {
  return new KeyRing({ database, staleMs: () => runtime().instance.staleMs(KEY_TOPIC), sealer: new Sealer(MASTER_KEY, 'signing-key') });
}
