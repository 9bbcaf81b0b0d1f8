import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, startDynamo, startPostgres, type PostgresServer } from '@wherry/embedded';
import { sourceRefKeyOf, sourceRefKeyText } from '@wherry/sessions';
import { loadConfig, requireMasterKey, type WherryConfig } from '../config/index.ts';
import { startChild, type Child } from './child.ts';
import type { DemoOptions } from './options.ts';
import { startMysqlShards } from './mysql-shards.ts';
import { isOnMysql, type ShardKind } from './shard-kind.ts';

/** Life of an access token in the demo: short, so that tokens run out and are exchanged again while one watches. */
const TOKEN_SECONDS = 10;
const SESSION_SECONDS = 3600;
/** How long no session may be used before they are retired. In life it is the longest session: days. */
const QUIET_SECONDS = 15;
/** The application as a client of the auth service. */
const CLIENT_ID = 'shop';
const CLIENT_SECRET = 'WHERRY_AUTH_CLIENT_SHOP_SECRET';

/** Everything that runs, and how to end it. */
export interface Stage {
  readonly config: WherryConfig;
  readonly gatewayUrl: string;
  readonly authUrl: string;
  readonly legacyUrl: string;
  readonly folder: string;
  /** Ends the legacy application and starts it again with its session store wrapped. */
  wrapLegacy(): Promise<void>;
  /** Ends it and starts it again without a session store: log-ins are handed over to the auth service. */
  retireLegacySessions(): Promise<void>;
  startServices(): Promise<void>;
  /** Has something ended before everything that runs already. */
  onClose(close: () => Promise<void>): void;
  /** Ends all, in reverse order. */
  close(): Promise<void>;
}

/** Starts the databases, the source and the legacy application as it was before anybody thought of a migration. */
export async function buildStage(options: DemoOptions, say: (line: string) => void): Promise<Stage> {
  const closers: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).toReversed()) await closer().catch(() => undefined);
  };
  try {
    return await build(options, say, closers, close);
  } catch (error) {
    await close();
    throw error;
  }
}

async function build(
  options: DemoOptions,
  say: (line: string) => void,
  closers: (() => Promise<void>)[],
  close: () => Promise<void>,
): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'wherry-demo-'));
  closers.push(async () => rmSync(folder, { recursive: true, force: true }));
  const postgres = await startPostgres({ databases: ['control', 'shard0', 'shard1'] });
  closers.push(() => postgres.stop());
  const shardUrls = await openStageShards(options.shards, postgres, closers);
  say(`PostgreSQL runs: a control database ${SHARD_TEXTS[options.shards]}`);
  const source = await openStageSource(options, closers, say);
  const [gatewayPort, authPort, legacyPort] = [await freePort(), await freePort(), await freePort()];
  const environment = stageEnvironment({
    folder,
    source,
    controlUrl: postgres.url('control'),
    shardUrls,
    gatewayPort,
    authPort,
    legacyPort,
  });
  const legacyEnv = {
    PORT: String(legacyPort),
    LEGACY_SOURCE: source.url,
    LEGACY_KEY_PREFIX: source.prefix,
    LEGACY_TRUST_GATEWAY: '1',
    SESSION_SECRET: environment['WHERRY_SOURCE_COOKIE_SECRETS'] ?? '',
    SESSION_TTL_SECONDS: String(SESSION_SECONDS),
  };
  let legacy = await startLegacy(legacyEnv);
  closers.push(() => legacy.stop());
  return {
    config: loadConfig({ environment }).config,
    gatewayUrl: `http://127.0.0.1:${gatewayPort}`,
    authUrl: `http://127.0.0.1:${authPort}`,
    legacyUrl: `http://127.0.0.1:${legacyPort}`,
    folder,
    onClose: (closer) => void closers.push(closer),
    wrapLegacy: async () => {
      await legacy.stop();
      legacy = await startLegacy({ ...applicationEnvironment(environment, folder), ...legacyEnv });
    },
    retireLegacySessions: async () => {
      await legacy.stop();
      legacy = await startLegacy({ ...legacyEnv, ...statelessEnvironment(environment, `http://127.0.0.1:${authPort}`) });
    },
    startServices: async () => {
      const services = await startChild({
        name: 'wherry up',
        script: 'apps/wherry/src/main.ts',
        args: ['up', '--roles', 'auth,gateway'],
        env: environment,
        ready: (line) => line.includes('"message":"ready"') || line.includes('"msg":"ready"'),
      });
      closers.push(() => services.stop());
    },
    close,
  };
}

const SHARDS = ['shard0', 'shard1'];
const SHARD_TEXTS: Readonly<Record<ShardKind, string>> = {
  postgres: 'and two shards',
  mysql: 'only; MariaDB runs with two shards',
  mixed: 'and one shard; MariaDB runs with the other',
};

async function openStageShards(kind: ShardKind, postgres: PostgresServer, closers: (() => Promise<void>)[]): Promise<readonly string[]> {
  const mysql = kind === 'postgres' ? undefined : await startMysqlShards(SHARDS);
  if (mysql !== undefined) closers.push(() => mysql.stop());
  return SHARDS.map((name, at) => (mysql !== undefined && isOnMysql(kind, at) ? mysql : postgres).url(name));
}

interface StageSource {
  readonly url: string;
  readonly prefix: string;
}

async function openStageSource(
  { source }: DemoOptions,
  closers: (() => Promise<void>)[],
  say: (line: string) => void,
): Promise<StageSource> {
  if (source !== undefined) {
    // Keys of its own: the demo must not meet what else lies in somebody's Redis.
    const prefix = `wherry-demo-${randomBytes(4).toString('hex')}:`;
    const { createClient } = await import('redis');
    const client = createClient({ url: source, socket: { reconnectStrategy: false } });
    client.on('error', () => undefined);
    await client.connect();
    closers.push(async () => {
      for await (const keys of client.scanIterator({ MATCH: `*${prefix}*`, COUNT: 1000 })) if (keys.length > 0) await client.unlink(keys);
      client.destroy();
    });
    say('Redis answers: sessions lie there in the layout of connect-redis');
    return { url: source, prefix };
  }
  const dynamo = await startDynamo();
  closers.push(() => dynamo.stop());
  say('a DynamoDB-compatible store runs: sessions lie there in the layout of connect-dynamodb');
  return { url: `dynamodb://127.0.0.1:${dynamo.port}/sessions`, prefix: 'sess:' };
}

function startLegacy(env: Readonly<Record<string, string>>): Promise<Child> {
  return startChild({
    name: 'the legacy application',
    script: 'examples/legacy-app/src/main.ts',
    env,
    ready: (line) => line.startsWith('listening on'),
  });
}

/** What the application gets: of the master key only what seals source refs, so that it could not open the signing keys. */
function applicationEnvironment(environment: Readonly<Record<string, string>>, folder: string): Record<string, string> {
  const { WHERRY_MASTER_KEY_FILE: _, ...shared } = environment;
  const keyFile = join(folder, 'source-ref-key');
  const key = sourceRefKeyOf(requireMasterKey(loadConfig({ environment }).config));
  writeFileSync(keyFile, sourceRefKeyText(key), { mode: 0o600 });
  return { ...shared, WHERRY_SOURCE_REF_KEY_FILE: keyFile };
}

/** What the application gets when it has no sessions: it may hand log-ins over, and knows the gateway by its signature. */
function statelessEnvironment(environment: Readonly<Record<string, string>>, authUrl: string): Record<string, string> {
  return {
    LEGACY_STATELESS: '1',
    LEGACY_AUTH_URL: authUrl,
    LEGACY_CLIENT_ID: CLIENT_ID,
    LEGACY_CLIENT_SECRET: environment[CLIENT_SECRET] ?? '',
    GATEWAY_SECRET: environment['WHERRY_GATEWAY_UPSTREAM_SECRET'] ?? '',
  };
}

interface StageFacts {
  readonly folder: string;
  readonly source: StageSource;
  readonly controlUrl: string;
  readonly shardUrls: readonly string[];
  readonly gatewayPort: number;
  readonly authPort: number;
  readonly legacyPort: number;
}

/** The environment that every process of ours reads its configuration from. */
function stageEnvironment({
  folder,
  source,
  controlUrl,
  shardUrls,
  gatewayPort,
  authPort,
  legacyPort,
}: StageFacts): Record<string, string> {
  const keyFile = join(folder, 'master-key');
  writeFileSync(keyFile, randomBytes(32).toString('base64'), { mode: 0o600 });
  const file = join(folder, 'wherry.config.json');
  const settings = {
    tokens: { issuer: `http://127.0.0.1:${authPort}`, audience: 'demo', accessTokenSeconds: TOKEN_SECONDS, skewSeconds: 1 },
    gateway: {
      port: gatewayPort,
      host: '127.0.0.1',
      routes: [{ prefix: '/', upstream: `http://127.0.0.1:${legacyPort}`, auth: 'optional' }],
      authUrl: `http://127.0.0.1:${authPort}`,
    },
    auth: {
      port: authPort,
      host: '127.0.0.1',
      clients: [{ id: CLIENT_ID, assertsUsers: true }],
      // The whole crowd sits at one address.
      requests: { perAddress: '1000000/10s' },
    },
    migrator: { port: 0 },
    rollout: { sessionLifeSeconds: QUIET_SECONDS, guard: { everySeconds: 1 } },
    log: { level: 'info' },
  };
  writeFileSync(file, JSON.stringify(settings, null, 2));
  return {
    WHERRY_CONFIG: file,
    WHERRY_CONTROL_URL: controlUrl,
    WHERRY_SHARDS_URLS: shardUrls.join(','),
    WHERRY_MASTER_KEY_FILE: keyFile,
    [CLIENT_SECRET]: randomBytes(24).toString('hex'),
    WHERRY_GATEWAY_UPSTREAM_SECRET: randomBytes(24).toString('hex'),
    WHERRY_SOURCE_URL: source.url,
    WHERRY_SOURCE_PREFIX: source.prefix,
    WHERRY_SOURCE_COOKIE_SECRETS: randomBytes(24).toString('hex'),
    // The application reads these; the services have them as their defaults.
    WHERRY_SOURCE_IDENTITY_USER_ID: 'user.id',
    WHERRY_SOURCE_IDENTITY_USERNAME: 'user.name',
    WHERRY_SOURCE_IDENTITY_AUTHORITIES: 'user.roles,user.permissions',
  };
}
