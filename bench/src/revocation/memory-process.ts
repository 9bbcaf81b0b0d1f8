import { openDatabase } from '@wherry/core/control';
import { RevocationSet } from '@wherry/revocation';
import { memoryQuestion, type MemoryFigures } from './memory.ts';

const { controlUrl, ids } = memoryQuestion();
const collect: NodeJS.GCFunction =
  globalThis.gc ??
  (() => {
    throw new Error('this process is started with --expose-gc');
  });
const database = openDatabase({ url: controlUrl, statementMs: 60_000 });
await database.query('SELECT 1');

/** Bytes in use, garbage apart. */
function used(): { readonly heap: number; readonly outside: number; readonly rss: number } {
  collect();
  const { heapUsed, arrayBuffers, rss } = process.memoryUsage();
  return { heap: heapUsed, outside: arrayBuffers, rss };
}

/** Nanoseconds of one look-up, the best of five passes. */
function nanoseconds(texts: readonly string[], look: (text: string) => boolean): number {
  let best = Infinity;
  for (let pass = 0; pass < 5; pass++) {
    let found = 0;
    const began = process.hrtime.bigint();
    for (const text of texts) if (look(text)) found++;
    const took = Number(process.hrtime.bigint() - began) / texts.length;
    if (found !== 0 && found !== texts.length) throw new Error('a look-up was wrong');
    best = Math.min(best, took);
  }
  return best;
}

const before = used();
const set = new RevocationSet({ database, staleMs: () => 0 });
let longestHoldMs = 0;
let loading = true;
let last = process.threadCpuUsage();
// Of this thread's own time: what others have of the machine meanwhile is not its doing.
const turn = (): void => {
  const { user, system } = process.threadCpuUsage(last);
  longestHoldMs = Math.max(longestHoldMs, (user + system) / 1000);
  last = process.threadCpuUsage();
  if (loading) setImmediate(turn);
};
turn();
const began = performance.now();
await set.load(0n);
const loadMs = performance.now() - began;
loading = false;
const after = used();

const sample = Array.from({ length: 200_000 }, (_, i) => String(BigInt(ids[0] ?? 0) + BigInt(i) * 1_000_003n));
const others = sample.map((id) => String(BigInt(id) + 1n));
const figures: MemoryFigures = {
  sessions: set.size.sessions,
  loadMs,
  longestHoldMs,
  bytesOfTables: set.size.bytes,
  heapBytes: after.heap - before.heap,
  outsideBytes: after.outside - before.outside,
  rssBytes: after.rss - before.rss,
  hitNs: nanoseconds(sample, (sid) => set.isSessionEnded(sid)),
  missNs: nanoseconds(others, (sid) => set.isSessionEnded(sid)),
};
console.log(`figures ${JSON.stringify(figures)}`);
await database.end();
