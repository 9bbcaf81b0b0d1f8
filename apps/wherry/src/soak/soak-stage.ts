import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, startPostgres, startRedis } from '@wherry/embedded';
import { openWay, type Severable } from '@wherry/embedded/testing';
import { sourceRefKeyOf, sourceRefKeyText } from '@wherry/sessions';
import { loadConfig, type WherryConfig } from '../config/index.ts';
import type { ChildOptions } from '../demo/child.ts';
import { RoleProcess } from './role-process.ts';
import { DATABASES, ROLES, SERVERS, type DatabaseName, type RoleName, type ServerName } from './schedule.ts';
import { mountSmallDisk, type SmallDisk } from './small-disk.ts';

const TOKEN_SECONDS = 10;
const SESSION_SECONDS = 3600;
const PREFIX = 'sess:';
/** More sessions than this would fill the machine's memory before they fill a disk that lies in it. */
const MOST_ON_SMALL_DISK = 100_000;
const SESSION_KIB = 8;
/** What a process may keep, several times what it needs: one that keeps ever more ends, and the run says so. */
const MOST_HEAP_MB = 256;

/** A server that can go down and come back. */
export interface SoakServer {
  pause(): Promise<void>;
  start(): Promise<void>;
}

/** Everything that runs in a soak, with every way between a process and a server in hand. */
export interface SoakStage extends AsyncDisposable {
  /** By direct ways, for whoever watches. */
  readonly config: WherryConfig;
  readonly gatewayUrls: readonly string[];
  readonly authUrl: string;
  readonly legacyUrl: string;
  readonly folder: string;
  readonly servers: Readonly<Record<ServerName, SoakServer>>;
  readonly roles: Readonly<Record<RoleName, RoleProcess>>;
  /** Where the sessions of the first shard are to lie; undefined where no file system can be mounted, or none that large. */
  readonly disk: SmallDisk | undefined;
  /** Of that shard, by the direct way. */
  readonly shardUrl: string;
  /** Stops a database in the middle of everything; `servers` brings it back. */
  crash(server: DatabaseName): Promise<void>;
  /** The way of a process to a server. */
  way(role: RoleName, server: ServerName): Severable;
  /** The application as it was before the migration; `roles.application` takes its place. */
  readonly plainApplication: ChildOptions;
}

/** Starts the servers for so many sessions; the processes are started by whoever plays. */
export async function buildSoakStage(sessions: number): Promise<SoakStage> {
  await using closers = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'wherry-soak-'));
  closers.defer(() => rmSync(folder, { recursive: true, force: true }));
  let disk: SoakStage['disk'];
  // After the database on it has ended.
  closers.defer(() => disk?.[Symbol.dispose]());
  const databases = await Promise.all(
    DATABASES.map(async (name) => {
      // What is acknowledged outlives a crash of the server, as anywhere in life; a crash of the machine is not played.
      const server = await startPostgres({ databases: ['wherry'], settings: ['synchronous_commit=on'] });
      closers.defer(() => server.stop());
      return [name, server] as const;
    }),
  );
  const redis = await startRedis();
  closers.defer(() => redis.stop());
  const urls = { ...Object.fromEntries(databases.map(([name, server]) => [name, server.url('wherry')])), source: redis.url } as Record<
    ServerName,
    string
  >;
  const servers = Object.fromEntries<SoakServer>([...databases, ['source', redis]]) as Record<ServerName, SoakServer>;

  const folders = Object.fromEntries(databases.map(([name, server]) => [name, server.folder])) as Record<DatabaseName, string>;
  if (sessions <= MOST_ON_SMALL_DISK) disk = mountSmallDisk(64 + Math.ceil((sessions * SESSION_KIB) / 1024), folders['shard-0']);

  const ways = new Map<string, Severable>();
  for (const role of ROLES) for (const server of SERVERS) ways.set(`${role} ${server}`, closers.use(await openWay(urls[server])));
  const way = (role: RoleName, server: ServerName): Severable => {
    const found = ways.get(`${role} ${server}`);
    if (found === undefined) throw new Error(`there is no way from ${role} to ${server}`);
    return found;
  };

  const ports = { gateways: [await freePort(), await freePort()], auth: await freePort(), legacy: await freePort() };
  const address = (port: number): string => `http://127.0.0.1:${port}`;
  const secrets = soakSecrets(folder);
  const fileOf = (name: string, gatewayPort: number): string => {
    const file = join(folder, `${name}.json`);
    writeFileSync(file, JSON.stringify(settings(gatewayPort, ports.auth, ports.legacy)));
    return file;
  };
  const environment = (file: string, at: (server: ServerName) => string): Record<string, string> => ({
    ...secrets.shared,
    WHERRY_CONFIG: file,
    WHERRY_CONTROL_URL: at('control'),
    WHERRY_SHARDS_URLS: `${at('shard-0')},${at('shard-1')}`,
    WHERRY_SOURCE_URL: at('source'),
  });
  const legacy = (source: string): Record<string, string> => ({
    PORT: String(ports.legacy),
    LEGACY_SOURCE: source,
    LEGACY_KEY_PREFIX: PREFIX,
    LEGACY_TRUST_GATEWAY: '1',
    SESSION_SECRET: secrets.cookie,
    SESSION_TTL_SECONDS: String(SESSION_SECONDS),
  });
  const roles = Object.fromEntries(
    ROLES.map((role) => {
      const files = join(folder, role);
      const file = fileOf(role, ports.gateways[role === 'gateway-1' ? 1 : 0] ?? 0);
      const own = environment(file, (server) => way(role, server).url);
      const flags = [`--max-old-space-size=${MOST_HEAP_MB}`, `--import=${new URL('shifted-date.ts', import.meta.url).href}`];
      const clock = { SOAK_CLOCK_FILE: `${files}.clock`, NODE_OPTIONS: flags.join(' ') };
      return [role, new RoleProcess(childOf(role, { own, clock, secrets, legacy: legacy(way(role, 'source').url) }), files)];
    }),
  ) as Record<RoleName, RoleProcess>;
  for (const role of ROLES) closers.defer(() => roles[role].stop());

  const owned = closers.move();
  return {
    config: loadConfig({ environment: { ...environment(fileOf('watcher', 0), (server) => urls[server]), ...secrets.services } }).config,
    gatewayUrls: ports.gateways.map(address),
    authUrl: address(ports.auth),
    legacyUrl: address(ports.legacy),
    folder,
    servers,
    roles,
    way,
    disk,
    shardUrl: urls['shard-0'],
    crash: async (server) => {
      // The first line names the process that watches over all others; SIGQUIT is "immediate shutdown" there.
      process.kill(Number(readFileSync(join(folders[server], 'postmaster.pid'), 'utf8').split('\n')[0]), 'SIGQUIT');
      await servers[server].pause();
    },
    plainApplication: applicationOf(legacy(urls.source)),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

interface SoakSecrets {
  readonly cookie: string;
  /** Of all processes; of the services; of the application. */
  readonly shared: Readonly<Record<string, string>>;
  readonly services: Readonly<Record<string, string>>;
  readonly application: Readonly<Record<string, string>>;
}

function soakSecrets(folder: string): SoakSecrets {
  const masterKey = randomBytes(32);
  const keyFile = join(folder, 'source-ref-key');
  writeFileSync(keyFile, sourceRefKeyText(sourceRefKeyOf(masterKey)), { mode: 0o600 });
  const cookie = randomBytes(24).toString('hex');
  return {
    cookie,
    shared: {
      WHERRY_SOURCE_PREFIX: PREFIX,
      WHERRY_SOURCE_COOKIE_SECRETS: cookie,
      // The application reads these; the services have them as their defaults.
      WHERRY_SOURCE_IDENTITY_USER_ID: 'user.id',
      WHERRY_SOURCE_IDENTITY_USERNAME: 'user.name',
      WHERRY_SOURCE_IDENTITY_AUTHORITIES: 'user.roles,user.permissions',
    },
    services: { WHERRY_MASTER_KEY: masterKey.toString('base64'), WHERRY_GATEWAY_UPSTREAM_SECRET: randomBytes(24).toString('hex') },
    application: { WHERRY_SOURCE_REF_KEY_FILE: keyFile },
  };
}

function settings(gatewayPort: number, authPort: number, legacyPort: number): object {
  return {
    tokens: { issuer: `http://127.0.0.1:${authPort}`, audience: 'soak', accessTokenSeconds: TOKEN_SECONDS, skewSeconds: 1 },
    gateway: {
      port: gatewayPort,
      host: '127.0.0.1',
      routes: [{ prefix: '/', upstream: `http://127.0.0.1:${legacyPort}`, auth: 'optional' }],
      authUrl: `http://127.0.0.1:${authPort}`,
    },
    auth: { port: authPort, host: '127.0.0.1', requests: { perAddress: '1000000/10s' } },
    migrator: { port: 0 },
    log: { level: 'info' },
  };
}

interface ChildParts {
  readonly own: Readonly<Record<string, string>>;
  readonly clock: Readonly<Record<string, string>>;
  readonly secrets: SoakSecrets;
  readonly legacy: Readonly<Record<string, string>>;
}

function childOf(role: RoleName, { own, clock, secrets, legacy }: ChildParts): ChildOptions {
  if (role === 'application') return applicationOf({ ...own, ...secrets.application, ...legacy, ...clock });
  const env = { ...own, ...secrets.services, ...clock };
  const ready = (line: string): boolean => line.includes('"message":"ready"') || line.includes('"msg":"ready"');
  if (role === 'migrator') return { name: role, script: new URL('migrator-main.ts', import.meta.url).href, env, ready };
  return { name: role, script: 'apps/wherry/src/main.ts', args: ['up', '--roles', role.replace(/-\d$/, '')], env, ready };
}

function applicationOf(env: Readonly<Record<string, string>>): ChildOptions {
  return { name: 'the application', script: 'examples/legacy-app/src/main.ts', env, ready: (line) => line.startsWith('listening on') };
}
