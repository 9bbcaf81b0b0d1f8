import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Database } from '@wherry/core/control';
import { changeMigration, viewParts } from '@wherry/migration';
import type { Cluster } from '../cluster.ts';
import type { WorkerOrder } from './worker-process.ts';

const child = fileURLToPath(new URL('worker-process.ts', import.meta.url));
const BY = { actor: 'bench' } as const;

/** What one copy came to. */
export interface Measured {
  readonly sessionsPerSecond: number;
  readonly copied: number;
  readonly peakMiB: number;
}

/** Copies everything with so many processes, from the beginning, at `rate` sessions a second at most; 0: as fast as they can. */
export async function copyWith(
  cluster: Cluster,
  control: Database,
  redisUrls: readonly string[],
  workers: number,
  rate = 0,
): Promise<Measured> {
  await changeMigration(control, { paused: true, rate, goalPercent: 0 }, BY);
  await control.query(`DELETE FROM migration_pass; UPDATE migration SET step = 'copy', leader = NULL`);
  const { controlUrl, shardUrls, masterKey } = cluster;
  const order: WorkerOrder = { cluster: { controlUrl, shardUrls, masterKey }, redisUrls };
  const processes = Array.from({ length: workers }, () => fork(child, [JSON.stringify(order)], { execArgv: ['--conditions=source'] }));
  try {
    await Promise.all(processes.map((process_) => answer(process_)));
    const from = performance.now();
    await changeMigration(control, { paused: false }, BY);
    const scanned = await untilCopied(control);
    const seconds = (performance.now() - from) / 1000;
    await changeMigration(control, { paused: true }, BY);
    const peaks = await Promise.all(
      processes.map(async (process_) => {
        process_.send('end');
        return (await answer(process_)) as { readonly peakMiB: number };
      }),
    );
    return { sessionsPerSecond: scanned / seconds, copied: scanned, peakMiB: Math.max(...peaks.map(({ peakMiB }) => peakMiB)) };
  } finally {
    for (const process_ of processes) process_.kill('SIGKILL');
  }
}

async function untilCopied(control: Database): Promise<number> {
  for (;;) {
    const parts = await viewParts(control, 'copy');
    if (parts.length > 0 && parts.every(({ done }) => done)) return parts.reduce((sum, { counts }) => sum + (counts['scanned'] ?? 0), 0);
    await delay(20);
  }
}

async function answer(process_: ChildProcess): Promise<unknown> {
  const ended = once(process_, 'exit').then(() => Promise.reject(new Error('a worker ended by itself')));
  ended.catch(() => undefined);
  const [message] = (await Promise.race([once(process_, 'message'), ended])) as unknown[];
  return message;
}
