import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.ts';
import { startGuarded, type GuardedProcess } from './guarded-process.ts';

/** A running Redis. */
export interface RedisServer {
  readonly port: number;
  readonly url: string;
  /** Stops the server and keeps its data; `start` brings it back on the same port. For tests of outages. */
  pause(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Where there is no Redis and none can be installed: the line says what to do. */
export class RedisMissing extends Error {
  override readonly name = 'RedisMissing';
}

/** Starts a Redis of its own on loopback, from the PATH, or installed from Debian's packages where we are root. It ends when this process does. */
export async function startRedis(): Promise<RedisServer> {
  const command = redisBinary();
  const folder = mkdtempSync(join(tmpdir(), 'wherry-redis-'));
  const port = await freePort();
  const launch = (): Promise<GuardedProcess> =>
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
    });
  let process: GuardedProcess | undefined = await launch();
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
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
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function redisBinary(): string {
  const find = (): string => spawnSync('sh', ['-c', 'command -v redis-server'], { encoding: 'utf8' }).stdout.trim();
  const found = find();
  if (found !== '') return found;
  if (process.getuid?.() === 0 && spawnSync('sh', ['-c', 'command -v apt-get']).status === 0) {
    process.stderr.write('installing redis-server from the packages of this system (once)\n');
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    // The package would start a server of its own; RUNLEVEL keeps it from doing so.
    const install = 'apt-get update -qq && RUNLEVEL=1 apt-get install -y -qq --no-install-recommends redis-server >/dev/null';
    spawnSync('sh', ['-c', install], { env, stdio: ['ignore', 'ignore', 'inherit'] });
    const installed = find();
    if (installed !== '') return installed;
  }
  throw new RedisMissing('no redis-server on the PATH: install Redis 6.2 or newer, e.g. "apt-get install redis-server"');
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
