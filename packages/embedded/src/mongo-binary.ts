import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** How to start a server that speaks MongoDB's protocol. */
export interface MongoBinary {
  readonly command: string;
  readonly args: (port: number, folder: string) => readonly string[];
  /** Part of its output once it listens. */
  readonly readyWord: string;
}

/** The Go module of the server that is built where there is no MongoDB. */
const MODULE = fileURLToPath(new URL('../mongo/', import.meta.url));

/** Go's own installer does not put itself on the PATH. */
const onPath = (command: string): string =>
  spawnSync('sh', ['-c', `PATH="$PATH:/usr/local/go/bin:/usr/local/bin"; command -v ${command}`], { encoding: 'utf8' }).stdout.trim();

/** True where {@link mongoBinary} can be expected to find or build one. */
export function mongoObtainable(): boolean {
  return onPath('mongod') !== '' || existsSync(builtPath()) || onPath('go') !== '';
}

/** `mongod` from the PATH, else the compatible server, built with Go once for each user of this machine; undefined: neither can be had. */
export function mongoBinary(): MongoBinary | undefined {
  const mongod = onPath('mongod');
  if (mongod !== '') {
    const args = (port: number, folder: string): readonly string[] => ['--port', `${port}`, '--bind_ip', '127.0.0.1', '--dbpath', folder];
    return { command: mongod, args, readyWord: 'Waiting for connections' };
  }
  const built = builtPath();
  if (!existsSync(built)) build(built);
  if (!existsSync(built)) return undefined;
  return { command: built, args: (port, folder) => [`${port}`, folder], readyWord: 'ready' };
}

/** Named by what it is built from, so that a changed source is another program. */
function builtPath(): string {
  const digest = createHash('sha256');
  for (const name of readdirSync(MODULE).toSorted()) digest.update(`${name}\0`).update(readFileSync(join(MODULE, name)));
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  return join(cache, 'wherry', `mongo-${digest.digest('hex').slice(0, 16)}`);
}

/** One build at a time: several test runs may start together, and the later ones find what the first one has made. */
function build(path: string): void {
  const go = onPath('go');
  if (go === '') return;
  process.stderr.write('building a MongoDB-compatible server with Go (once; takes some minutes)\n');
  mkdirSync(join(path, '..'), { recursive: true });
  const script = '[ -x "$1" ] || exec sh build.sh "$1" "$2"';
  const command = ['sh', '-c', script, 'build', path, go];
  const [program = 'sh', ...args] = onPath('flock') === '' ? command : ['flock', `${path}.lock`, ...command];
  const env = { ...process.env, GOFLAGS: '-mod=readonly', CGO_ENABLED: '0' };
  spawnSync(program, args, { cwd: MODULE, env, stdio: ['ignore', 'ignore', 'inherit'] });
}
