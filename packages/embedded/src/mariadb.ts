import { spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { serverBinary, serverObtainable } from './debian-package.ts';
import { onFreePort } from './free-port.ts';
import { startGuarded, type GuardedProcess } from './guarded-process.ts';
import { pausable, type Pausable } from './pausable.ts';
import { portAnswers } from './port-answers.ts';
import { canReach, reachableTmp, unprivilegedUser, type User } from './unprivileged-user.ts';

/** Options of {@link startMariadb}. */
export interface MariadbOptions {
  /** Survive a crash of the machine; default false: tests and benches kill processes, not machines. */
  readonly durable?: boolean;
  /** Further settings, as on the command line: `--name=value`. */
  readonly settings?: readonly string[];
}

/** A running MariaDB. */
export interface MariadbServer extends Pausable {
  readonly port: number;
  readonly folder: string;
  /** Connection URL of a database, as the one user that there is; he may do everything. */
  url(database: string): string;
}

/** Where there is no MariaDB and none can be installed: the line says what to do. */
export class MariadbMissing extends Error {
  override readonly name = 'MariadbMissing';
}

const MARIADB = { command: 'mariadbd', package: 'mariadb-server' };
const USER = `CREATE USER IF NOT EXISTS wherry@'127.0.0.1' IDENTIFIED BY 'wherry';\nGRANT ALL PRIVILEGES ON *.* TO wherry@'127.0.0.1' WITH GRANT OPTION;\n`;

/** True where {@link startMariadb} can be expected to find or install one. */
export function mariadbObtainable(): boolean {
  return serverObtainable(MARIADB);
}

/**
 * Starts a MariaDB of its own on loopback, from the PATH, or installed from Debian's packages where we are root; nothing
 * of the system's settings is read, and accounts are checked. As root it runs as `nobody`. It ends when this process does.
 */
export async function startMariadb(options: MariadbOptions = {}): Promise<MariadbServer> {
  const command = mariadbBinary();
  const user = unprivilegedUser('nobody');
  const folder = mkdtempSync(join(reachableTmp(user), 'wherry-mariadb-'));
  initialise(folder, user);
  const launch = (port: number): Promise<GuardedProcess> =>
    startGuarded({
      command,
      args: [...serverSettings(folder, port, options.durable === true), ...(options.settings ?? [])],
      isReady: (output) => output.includes('ready for connections') && portAnswers(port),
      endSignal: 'TERM',
      orphanFolder: folder,
      ...user,
    });
  const { port, started } = await onFreePort(launch);
  const url = (database: string): string => `mysql://wherry:wherry@127.0.0.1:${port}/${database}`;
  return { port, folder, url, ...pausable(started, () => launch(port), folder) };
}

function serverSettings(folder: string, port: number, durable: boolean): string[] {
  return [
    '--no-defaults',
    `--datadir=${join(folder, 'data')}`,
    temporary(folder),
    `--port=${port}`,
    '--bind-address=127.0.0.1',
    '--skip-name-resolve',
    `--socket=${join(folder, 's')}`,
    `--pid-file=${join(folder, 'pid')}`,
    `--init-file=${join(folder, 'user.sql')}`,
    '--max-connections=300',
    '--innodb-buffer-pool-size=256M',
    '--innodb-log-file-size=64M',
    // Handed to the system at each commit: that survives the end of the process, however it comes.
    ...(durable ? [] : ['--innodb-flush-log-at-trx-commit=2']),
  ];
}

/** A folder of its own: a server that starts removes all temporary tables in it, and one that loses them so ends. */
function temporary(folder: string): string {
  return `--tmpdir=${join(folder, 'tmp')}`;
}

function initialise(folder: string, user: User | undefined): void {
  const data = join(folder, 'data');
  mkdirSync(data);
  const tmp = join(folder, 'tmp');
  mkdirSync(tmp);
  writeFileSync(join(folder, 'user.sql'), USER);
  if (user !== undefined) for (const path of [folder, data, tmp]) chownSync(path, user.uid, user.gid);
  if (!canReach(data, user)) throw new Error(`MariaDB runs as another user than root, who cannot reach ${folder}`);
  const args = [
    '--no-defaults',
    `--datadir=${data}`,
    temporary(folder),
    '--auth-root-authentication-method=normal',
    '--skip-test-db',
    '--skip-name-resolve',
  ];
  const install = installer();
  const done = spawnSync(install, args, { cwd: '/', encoding: 'utf8', ...user });
  if (done.status !== 0 || !existsSync(join(data, 'ibdata1')))
    throw new Error(`${install} failed: ${done.stderr || done.stdout || String(done.error)}`);
}

function mariadbBinary(): string {
  const found = serverBinary(MARIADB);
  if (found !== undefined) return found;
  throw new MariadbMissing('no mariadbd on the PATH: install MariaDB 10.6 or newer, e.g. "apt-get install mariadb-server"');
}

function installer(): string {
  const found = serverBinary({ ...MARIADB, command: 'mariadb-install-db' });
  if (found !== undefined) return found;
  throw new MariadbMissing('no mariadb-install-db on the PATH beside mariadbd: it comes with the package mariadb-server');
}
