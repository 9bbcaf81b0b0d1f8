import { readFileSync } from 'node:fs';

const EVERY_MS = 10_000;
const PAGE_BYTES = 4096;
const MB = 1_000_000;

/** Resident memory of a process, MB. */
interface Seen {
  readonly last: number;
  readonly most: number;
}

/** Options of {@link MemoryWatch}. */
export interface MemoryWatchOptions {
  /** The process id behind a name; undefined while it does not run. */
  readonly pidOf: (name: string) => number | undefined;
  readonly names: readonly string[];
  readonly say: (text: string) => void;
}

/** Notes how much memory each process holds, every ten seconds. Where there is no /proc it notes nothing. */
export class MemoryWatch {
  readonly #options: MemoryWatchOptions;
  readonly #seen = new Map<string, Seen>();
  readonly #timer: NodeJS.Timeout;

  constructor(options: MemoryWatchOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#note(), EVERY_MS);
  }

  /** A line for each process: what it held in the end and at most. */
  lines(): string[] {
    return [...this.#seen].map(([name, { last, most }]) => `  ${name} ${last} MB in the end, ${most} MB at most`);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #note(): void {
    const { names, pidOf, say } = this.#options;
    const noted: string[] = [];
    for (const name of names) {
      const held = residentMb(pidOf(name));
      if (held === undefined) continue;
      this.#seen.set(name, { last: held, most: Math.max(held, this.#seen.get(name)?.most ?? 0) });
      noted.push(`${name} ${held}`);
    }
    if (noted.length > 0) say(`memory, MB: ${noted.join(', ')}`);
  }
}

/** `proc(5)`: the second number of `statm` counts resident pages. */
function residentMb(pid: number | undefined): number | undefined {
  if (pid === undefined) return undefined;
  try {
    const pages = readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1];
    return Math.round((Number(pages) * PAGE_BYTES) / MB);
  } catch {
    // It has just ended, or the system has no such files.
    return undefined;
  }
}
