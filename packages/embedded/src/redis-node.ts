import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startGuarded, type GuardedProcess } from './guarded-process.ts';
import { portAnswers } from './port-answers.ts';
import { redisCommand } from './redis-command.ts';
import { redisBinary } from './redis.ts';

/** One server process of a group that belongs together. */
export interface RedisNode {
  readonly port: number;
  /** Sends one command and answers its reply as text. */
  command(...args: readonly string[]): Promise<string>;
  /** Ends it as a power cut would (SIGKILL). */
  kill(): Promise<void>;
  /** Starts it again on its port, with what its folder holds. */
  start(): Promise<void>;
  /** Ends it for good; its folder is deleted. */
  stop(): Promise<void>;
}

/** Options of {@link startRedisNode}. */
export interface RedisNodeOptions {
  readonly port: number;
  /** Arguments beside port, address and folder. */
  readonly args: readonly string[];
  /** Writes files into the folder before the first start, and answers a file that stands before all arguments. */
  readonly prepare?: (folder: string) => string;
}

/** Starts one Redis on loopback with a folder of its own. It ends when this process does. */
export async function startRedisNode({ port, args, prepare }: RedisNodeOptions): Promise<RedisNode> {
  const folder = mkdtempSync(join(tmpdir(), 'wherry-redis-'));
  const file = prepare?.(folder);
  const launch = (): Promise<GuardedProcess> =>
    startGuarded({
      command: redisBinary(),
      args: [...(file === undefined ? [] : [file]), '--port', String(port), '--bind', '127.0.0.1', '--dir', folder, ...args],
      isReady: () => portAnswers(port),
      // A server that was frozen or waits for a master does not end in order in time.
      endMs: 3000,
      orphanFolder: folder,
    });
  let running: GuardedProcess | undefined = await launch();
  const command = (...words: readonly string[]): Promise<string> => redisCommand(port, words);
  const end = async (): Promise<void> => {
    const ending = running;
    running = undefined;
    await ending?.stop();
  };
  return {
    port,
    command,
    kill: async () => {
      const pid = Number(/process_id:(\d+)/.exec(await command('INFO', 'server'))?.[1]);
      process.kill(pid, 'SIGKILL');
      await end();
    },
    start: async () => {
      running ??= await launch();
    },
    stop: async () => {
      await end();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Waits until `holds` does. For servers that take their time with each other. */
export async function untilHolds(what: string, holds: () => Promise<boolean>, timeoutMs = 60_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await holds().catch(() => false))) {
    if (performance.now() > deadline) throw new Error(`Redis: ${what} has not come about in time`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
