import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serverBinary, serverObtainable } from './debian-package.ts';
import { onFreePort } from './free-port.ts';
import { startGuarded, type GuardedProcess } from './guarded-process.ts';
import { pausable, type Pausable } from './pausable.ts';
import { portAnswers } from './port-answers.ts';

/** A running Redis. */
export interface RedisServer extends Pausable {
  readonly port: number;
  readonly url: string;
}

/** Options of {@link startRedis}. */
export interface RedisOptions {
  /** False: what it holds is gone when it is paused; default true. */
  readonly persistent?: boolean;
}

/** Where there is no Redis and none can be installed: the line says what to do. */
export class RedisMissing extends Error {
  override readonly name = 'RedisMissing';
}

/** Starts a Redis of its own on loopback, from the PATH, or installed from Debian's packages where we are root. It ends when this process does. */
export async function startRedis({ persistent = true }: RedisOptions = {}): Promise<RedisServer> {
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
        persistent ? 'yes' : 'no',
        '--appendfsync',
        'everysec',
        '--save',
        '',
      ],
      // The log line comes before the port is open on some versions, so the port is asked.
      isReady: (output) => output.includes('Ready to accept connections') && portAnswers(port),
      orphanFolder: folder,
    });
  const { port, started } = await onFreePort(launch);
  return { port, url: `redis://127.0.0.1:${port}`, ...pausable(started, () => launch(port), folder) };
}

const REDIS = { command: 'redis-server', package: 'redis-server' };

/** True where {@link startRedis} can be expected to find or install one. */
export function redisObtainable(): boolean {
  return serverObtainable(REDIS);
}

/** The path of the program, from the PATH, or installed from Debian's packages where we are root. */
export function redisBinary(): string {
  const found = serverBinary(REDIS);
  if (found !== undefined) return found;
  throw new RedisMissing('no redis-server on the PATH: install Redis 6.2 or newer, e.g. "apt-get install redis-server"');
}
