import { spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { onFreePort } from './free-port.ts';
import { startGuarded, type GuardedProcess } from './guarded-process.ts';
import { pausable, type Pausable } from './pausable.ts';
import { postgresBinaries } from './postgres-binaries.ts';
import { canReach, reachableTmp, unprivilegedUser, type User } from './unprivileged-user.ts';

/** Options of {@link startPostgres}. */
export interface PostgresOptions {
  /** Databases to create where they are missing. */
  readonly databases?: readonly string[];
  /** TCP port on 127.0.0.1; default any free one. */
  readonly port?: number;
  /** Data folder to use again; default a new one, deleted by `stop`. */
  readonly folder?: string;
  /** Survive a crash of the machine; default false: demo, tests and benches kill processes, not machines. */
  readonly durable?: boolean;
  /** Further settings, `name=value`. */
  readonly settings?: readonly string[];
  /** Whom it runs as where we are root, because PostgreSQL refuses to run as root; default `postgres`, else `nobody`. */
  readonly systemUser?: string;
}

/** A running PostgreSQL. */
export interface PostgresServer extends Pausable {
  readonly port: number;
  readonly folder: string;
  /** Connection URL of a database. */
  url(database: string): string;
  /** Creates a database, as a copy of `template` where one is named. */
  createDatabase(name: string, template?: string): Promise<void>;
}

const INITDB = [
  '--no-sync',
  '--auth=trust',
  '--username=postgres',
  '--encoding=UTF8',
  '--locale-provider=builtin',
  '--builtin-locale=C.UTF-8',
  '--locale=C.UTF-8',
  '--no-instructions',
];

/** Starts the PostgreSQL that comes from npm: no installation, no root, loopback only. It ends when this process does. */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const user = unprivilegedUser(options.systemUser);
  const binaries = postgresBinaries(user);
  const temporary = options.folder === undefined;
  const folder = options.folder ?? mkdtempSync(join(reachableTmp(user), 'wherry-pg-'));
  if (!existsSync(join(folder, 'PG_VERSION'))) initialise(binaries.initdb, folder, user);

  const launch = (port: number): Promise<GuardedProcess> =>
    startGuarded({
      command: binaries.postgres,
      args: ['-D', folder, '-p', String(port), ...serverSettings(options).flatMap((setting) => ['-c', setting])],
      isReady: (output) => output.includes('ready to accept connections'),
      ...(temporary ? { orphanFolder: folder } : {}),
      ...user,
    });
  const { port, started } =
    options.port === undefined ? await onFreePort(launch) : { port: options.port, started: await launch(options.port) };
  const url = (database: string): string => `postgres://postgres@127.0.0.1:${port}/${database}`;
  const server: PostgresServer = {
    port,
    folder,
    url,
    createDatabase: async (name, template) => {
      const from = template === undefined ? '' : ` TEMPLATE ${pg.escapeIdentifier(template)}`;
      await withClient(url('postgres'), (client) => client.query(`CREATE DATABASE ${pg.escapeIdentifier(name)}${from} STRATEGY wal_log`));
    },
    ...pausable(started, () => launch(port), temporary ? folder : undefined),
  };
  const existing = await withClient(url('postgres'), (client) => client.query<{ datname: string }>('SELECT datname FROM pg_database'));
  const present = new Set(existing.rows.map((row) => row.datname));
  for (const name of options.databases ?? []) if (!present.has(name)) await server.createDatabase(name);
  return server;
}

function serverSettings(options: PostgresOptions): string[] {
  return [
    'listen_addresses=127.0.0.1',
    'unix_socket_directories=',
    'max_connections=300',
    'shared_buffers=256MB',
    ...(options.durable === true ? [] : ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off']),
    ...(options.settings ?? []),
  ];
}

function initialise(initdb: string, folder: string, user: User | undefined): void {
  mkdirSync(folder, { recursive: true });
  if (user !== undefined) chownSync(folder, user.uid, user.gid);
  if (!canReach(folder, user)) {
    throw new Error(`PostgreSQL runs as another user than root, who cannot reach ${folder}: choose a folder outside of a closed home`);
  }
  const done = spawnSync(initdb, ['-D', folder, ...INITDB], { cwd: '/', encoding: 'utf8', ...user });
  if (done.status !== 0) throw new Error(`initdb failed: ${done.stderr || String(done.error)}`);
}

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
