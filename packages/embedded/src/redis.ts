import { spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onFreePort } from './free-port.ts';
import { startGuarded, type GuardedProcess } from './guarded-process.ts';
import { pausable, type Pausable } from './pausable.ts';

/** A running Redis. */
export interface RedisServer extends Pausable {
  readonly port: number;
  readonly url: string;
}

/** Where there is no Redis and none can be installed: the line says what to do. */
export class RedisMissing extends Error {
  override readonly name = 'RedisMissing';
}

/** Starts a Redis of its own on loopback, from the PATH, or installed from Debian's packages where we are root. It ends when this process does. */
export async function startRedis(): Promise<RedisServer> {
  const command = redisBinary();
  const folder = mkdtempSync(join(tmpdir(), 'wherry-redis-'));
  const launch = (port: number): Promise<GuardedProcess> =>
    startGuarded({
      command,
      args: [
        '--port',
        String(port),
        '--bind',
        '127.0.0.1',
        '--dir',
        folder,
        '--appendonly',
        'yes',
        '--appendfsync',
        'everysec',
        '--save',
        '',
      ],
      // The log line comes before the port is open on some versions, so the port is asked.
      isReady: (output) => output.includes('Ready to accept connections') && answers(port),
      orphanFolder: folder,
    });
  const { port, started } = await onFreePort(launch);
  return { port, url: `redis://127.0.0.1:${port}`, ...pausable(started, () => launch(port), folder) };
}

const onPath = (command: string): string => spawnSync('sh', ['-c', `command -v ${command}`], { encoding: 'utf8' }).stdout.trim();

const installable = (): boolean => process.getuid?.() === 0 && onPath('apt-get') !== '';

/** True where {@link startRedis} can be expected to find or install one. */
export function redisObtainable(): boolean {
  return onPath('redis-server') !== '' || installable();
}

function redisBinary(): string {
  const found = onPath('redis-server');
  if (found !== '') return found;
  if (installable()) {
    install();
    const installed = onPath('redis-server');
    if (installed !== '') return installed;
  }
  throw new RedisMissing('no redis-server on the PATH: install Redis 6.2 or newer, e.g. "apt-get install redis-server"');
}

/** One installation at a time on this machine: apt-get fails where another one is under way, and several test runs may start together. */
function install(): void {
  process.stderr.write('installing redis-server from the packages of this system (once)\n');
  // The package would start a server of its own; RUNLEVEL keeps it from doing so.
  const script = `command -v redis-server >/dev/null || {
    apt-get update -qq
    RUNLEVEL=1 apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=120 redis-server >/dev/null
  }`;
  const one = onPath('flock') === '' ? ['sh', '-c', script] : ['flock', join(tmpdir(), 'wherry-apt.lock'), 'sh', '-c', script];
  const [command = 'sh', ...args] = one;
  spawnSync(command, args, { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }, stdio: ['ignore', 'ignore', 'inherit'] });
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const done = (value: boolean): void => {
      socket.destroy();
      resolve(value);
    };
    socket.once('connect', () => done(true));
    socket.once('error', () => done(false));
  });
}
