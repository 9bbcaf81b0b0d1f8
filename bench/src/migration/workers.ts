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
/** As docs/5-operations.md says to start a migrator: a page lives through few collections, so a large young generation holds garbage only. */
const YOUNG = ['--conditions=source', '--max-semi-space-size=4'];
/** A copy that has got no further for so long does not go on by itself. */
const STALLED_MS = 120_000;

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
  const processes = Array.from({ length: workers }, () => fork(child, [JSON.stringify(order)], { execArgv: YOUNG }));
  try {
    await Promise.all(processes.map((process_) => answer(process_)));
    const from = performance.now();
    await changeMigration(control, { paused: false }, BY);
    const scanned = await Promise.race([untilCopied(control), ...processes.map((process_) => endOf(process_))]);
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
  let [seen, seenAt] = [-1, performance.now()];
  for (;;) {
    const parts = await viewParts(control, 'copy');
    const scanned = parts.reduce((sum, { counts }) => sum + (counts['scanned'] ?? 0), 0);
    if (parts.length > 0 && parts.every(({ done }) => done)) return scanned;
    if (scanned !== seen) [seen, seenAt] = [scanned, performance.now()];
    if (performance.now() - seenAt > STALLED_MS) throw new Error(`the copy stands still at ${scanned} sessions`);
    await delay(20);
  }
}

/** Rejects when the process ends: nobody would go on with what it has begun. */
async function endOf(process_: ChildProcess): Promise<never> {
  if (process_.exitCode === null && process_.signalCode === null) await once(process_, 'exit');
  throw new Error('a worker ended by itself');
}

async function answer(process_: ChildProcess): Promise<unknown> {
  const [message] = (await Promise.race([once(process_, 'message'), endOf(process_)])) as unknown[];
  return message;
}
