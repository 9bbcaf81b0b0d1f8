import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { Sealer, type Clock } from '@wherry/core';
import { applySchema, coreSchema, openDatabase, type Database } from '@wherry/core/control';
import { createMetrics } from '@wherry/core/metrics';
import { PATIENT_MS, createTestDatabase, type TestDatabase } from '@wherry/embedded/testing';
import { TokenFamilies, tokenFamilySchema } from '@wherry/renewal';
import { revocationSchema } from '@wherry/revocation';
import { RolloutState, rolloutSchema } from '@wherry/rollout';
import {
  SessionRuntime,
  expressJsonDecoder,
  mintSessionToken,
  sessionsControlSchema,
  type CarriedSessions,
  type MintedSessionToken,
  type SessionRecord,
  type SourceStore,
} from '@wherry/sessions';
import { sessionsShardSchema } from '@wherry/sessions/sql';
import { ShardSet, initialiseSlotMap, installSlotMap, shardSchema, shardsControlSchema, type PrimarySide } from '@wherry/shards';
import { KEY_TOPIC, KeyRing, KeyStore, createIssuer, tokensSchema, type TokenGrant } from '@wherry/tokens';
import { createGateway, type Gateway } from '../gateway.ts';
import type { GatewayOptions } from '../options.ts';

const ISSUER = 'https://auth.example';
const AUDIENCE = 'https://api.example';
const LIFE_S = 600;
/** Longer than any test lasts. */
const LONG_MS = 3_600_000;

/** Databases of their own with all tables, one signing key, and gateways on them. */
export class Workbench implements AsyncDisposable {
  readonly control: Database;
  readonly keys: KeyStore;
  readonly #databases: readonly TestDatabase[];
  readonly #sealer: Sealer;
  readonly #masterKey = randomBytes(32);
  readonly #closers: (() => Promise<void>)[] = [];

  private constructor(databases: readonly TestDatabase[]) {
    this.#databases = databases;
    this.control = openDatabase({ url: databases[0]?.url ?? '', statementMs: PATIENT_MS });
    this.#sealer = new Sealer(this.#masterKey, 'signing-key');
    this.keys = new KeyStore({ database: this.control, sealer: this.#sealer, lifeS: LIFE_S });
  }

  static async create(postgresUrl: string, side: PrimarySide = 'target'): Promise<Workbench> {
    const databases = await Promise.all([0, 1, 2].map(async () => createTestDatabase(postgresUrl)));
    const bench = new Workbench(databases);
    const schemas = [coreSchema, shardsControlSchema, revocationSchema, sessionsControlSchema, tokensSchema, rolloutSchema];
    await applySchema(bench.control, schemas);
    const shards = databases.slice(1).map(({ url }) => openDatabase({ url, statementMs: PATIENT_MS }));
    for (const shard of shards) await applySchema(shard, [shardSchema, sessionsShardSchema, tokenFamilySchema]);
    await initialiseSlotMap(bench.control, shards.length, side);
    await installSlotMap(bench.control, shards);
    await Promise.all(shards.map(async (shard) => shard.end()));
    await bench.keys.ensureShared('ES256');
    return bench;
  }

  /**
   * A gateway in this process, listening, with everything that it needs. Ends with the bench. Leases, freshness, memory
   * and deadlines last longer than a busy machine stands still, where `options` say nothing else.
   */
  async gateway(
    options: Partial<GatewayOptions> & { readonly source?: SourceStore; readonly shardUrl?: string; readonly clock?: Clock } = {},
  ): Promise<RunningGateway> {
    const { source, shardUrl, clock, ...rest } = options;
    const control = openDatabase({ url: this.#databases[0]?.url ?? '', statementMs: PATIENT_MS });
    const shards = new ShardSet({
      shards: this.#databases.slice(1).map(({ url }, i) => ({ name: `shard${i}`, url: shardUrl ?? url })),
      statementMs: PATIENT_MS,
      deadlineMs: PATIENT_MS,
    });
    const keys = new KeyRing({ database: control, staleMs: () => runtime.instance.staleMs(KEY_TOPIC), sealer: this.#sealer });
    const rollout = new RolloutState({ database: control });
    const runtime: SessionRuntime = new SessionRuntime({
      control,
      shards,
      masterKey: this.#masterKey,
      role: 'gateway',
      topics: [keys, rollout],
      leaseMs: LONG_MS,
      propagationMs: PATIENT_MS,
      deadlineMs: PATIENT_MS,
      ...(clock === undefined ? {} : { clock }),
    });
    await runtime.run();
    const decode = expressJsonDecoder({ identity: { userId: 'user.id', username: 'user.name', authorities: ['user.roles'] } });
    const carried = source === undefined ? undefined : runtime.carry({ source, decode, sourceOffsetMs: () => 0 });
    const metrics = createMetrics();
    const families = new TokenFamilies({ shards, map: runtime.slots, windowMs: 2 * LIFE_S * 1000, deadlineMs: PATIENT_MS });
    const gateway = createGateway({
      host: '127.0.0.1',
      port: 0,
      routes: [],
      tokens: { keys, issuer: ISSUER, audience: AUDIENCE, maxLifeS: LIFE_S },
      runtime,
      rollout,
      reports: control,
      families,
      metrics,
      freshMs: PATIENT_MS,
      sessionCache: { ttlMs: LONG_MS },
      ...(clock === undefined ? {} : { clock }),
      ...(carried === undefined ? {} : { carried }),
      ...rest,
    });
    await gateway.run();
    let ended = false;
    const end = async (): Promise<void> => {
      if (ended) return;
      ended = true;
      await gateway.drain(AbortSignal.timeout(2000));
      await gateway.stop();
      await runtime.drain();
      await runtime.stop();
      await shards.stop();
      await control.end();
    };
    this.#closers.push(end);
    const issuer = createIssuer({ keys, issuer: ISSUER, audience: AUDIENCE, lifeS: LIFE_S });
    const issue = (grant: Partial<TokenGrant> = {}): string => {
      const second = Math.floor(Date.now() / 1000);
      const whole = { userId: '42', authorities: ['ROLE_USER'], clientId: 'web', generation: 0, issuedAt: second, authTime: second };
      return issuer.issue({ ...whole, sessionExpiresAt: null, ...grant }).token;
    };
    const page = async (): Promise<string> => metrics.page();
    return { gateway, runtime, rollout, families, carried, shards, control, url: `http://127.0.0.1:${gateway.port}`, issue, page, end };
  }

  /** An upstream on a port of its own. Ends with the bench. */
  async upstream(listener: RequestListener): Promise<{ readonly url: string; readonly server: Server }> {
    const server = createServer(listener);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    this.#closers.push(async () => closeServer(server));
    return { url: `http://127.0.0.1:${portOf(server)}`, server };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const close of this.#closers.toReversed()) await close();
    await this.control.end();
    await Promise.all(this.#databases.map(async (database) => database.drop()));
  }
}

/** A gateway under test. */
export interface RunningGateway {
  readonly gateway: Gateway;
  readonly runtime: SessionRuntime;
  readonly rollout: RolloutState;
  readonly families: TokenFamilies;
  readonly carried: CarriedSessions | undefined;
  readonly shards: ShardSet;
  readonly control: Database;
  readonly url: string;
  /** A token for user 42, or whoever the grant says. */
  issue(grant?: Partial<TokenGrant>): string;
  /** The metrics page. */
  page(): Promise<string>;
  end(): Promise<void>;
}

let nextId = BigInt(Date.now()) << 20n;

/** A session that was born here, and its token. */
export async function newSession(
  { runtime }: RunningGateway,
  part: Partial<SessionRecord> = {},
): Promise<MintedSessionToken & { readonly record: SessionRecord }> {
  const minted = mintSessionToken(nextId++);
  const now = Date.now();
  const record: SessionRecord = {
    key: minted.key,
    userId: '42',
    username: 'ann',
    role: 'ROLE_USER',
    authorities: ['ROLE_USER'],
    createTime: now,
    lastAccessTime: now,
    expireTime: now + 3_600_000,
    userGeneration: 0,
    attributes: '{}',
    version: { epoch: 0, n: 0 },
    touchVersion: now,
    sourceRef: null,
    ...part,
  };
  await runtime.target.create(record);
  return { ...minted, record };
}

/** Sends bytes as they are and answers all that comes back until the other side closes, or `enough` says so. */
export async function raw(port: number, text: string, enough: (got: string) => boolean = () => false): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let got = '';
  socket.setEncoding('latin1');
  socket.write(text, 'latin1');
  try {
    for await (const chunk of socket) {
      got += String(chunk);
      if (enough(got)) break;
    }
  } catch {
    // A connection that was reset has said what it said.
  } finally {
    socket.destroy();
  }
  return got;
}

/** What an upstream saw of a request. */
export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly rawHeaders: readonly string[];
  readonly body: string;
}

/** A listener that answers what it saw, as JSON, and keeps it. */
export function echo(seen: Seen[]): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', () => undefined);
    request.on('end', () => {
      const { method = '', url = '', headers, rawHeaders } = request;
      const what = { method, url, headers, rawHeaders, body: Buffer.concat(chunks).toString() };
      seen.push(what);
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(what));
    });
  };
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await closed;
}
