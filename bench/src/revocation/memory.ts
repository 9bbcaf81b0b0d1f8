import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Cluster } from '../cluster.ts';

/** What it takes to hold many ended sessions. */
export interface MemoryFigures {
  readonly sessions: number;
  /** From an empty set to one with all of them. */
  readonly loadMs: number;
  /** Longest turn of the event loop meanwhile, in time of the processor. */
  readonly longestHoldMs: number;
  readonly bytesOfTables: number;
  readonly heapBytes: number;
  readonly outsideBytes: number;
  readonly rssBytes: number;
  readonly hitNs: number;
  readonly missNs: number;
}

const VARIABLE = 'WHERRY_BENCH_MEMORY';
const FIRST = 1_000_000_000_000_000_000n;

/** Ends `count` sessions in a control database of their own, and has a fresh process load them. */
export async function measureMemory(cluster: Cluster, count: number): Promise<MemoryFigures> {
  const control = cluster.open(cluster.controlUrl);
  await control.query('TRUNCATE revocation');
  await control.query(
    `INSERT INTO revocation (kind, key, value, slot, digest, reason, expire_time, seq)
     SELECT 'session', ($1::bigint + n * 1000003)::text, wherry_now(), n % 16384, '\\x00', 'logout', wherry_now() + 7200000, 1 + n / 20
     FROM generate_series(0, $2::bigint - 1) n`,
    [FIRST, count],
  );
  await control.query(`INSERT INTO feed_topic VALUES ('revocation', $1) ON CONFLICT (topic) DO UPDATE SET seq = excluded.seq`, [count]);
  await control.query('ANALYZE revocation');
  const file = fileURLToPath(new URL('./memory-process.ts', import.meta.url));
  const { stdout, stderr } = spawnSync(process.execPath, ['--conditions=source', '--expose-gc', file], {
    env: { ...process.env, [VARIABLE]: JSON.stringify({ controlUrl: cluster.controlUrl, ids: [FIRST.toString()] }) },
    encoding: 'utf8',
  });
  const line = /^figures (.*)$/m.exec(stdout)?.[1];
  if (line === undefined) throw new Error(`the process that was to hold the revocations failed: ${stderr}`);
  return JSON.parse(line) as MemoryFigures;
}

/** What the process is asked to do. */
export function memoryQuestion(): { readonly controlUrl: string; readonly ids: readonly string[] } {
  const text = process.env[VARIABLE];
  if (text === undefined) throw new Error('this file is started by the bench of revocation');
  return JSON.parse(text) as { readonly controlUrl: string; readonly ids: readonly string[] };
}
