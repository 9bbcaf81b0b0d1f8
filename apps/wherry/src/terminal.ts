import type { Environment } from './config/secrets.ts';

/** What a command talks to. */
export interface Terminal {
  readonly environment: Environment;
  /** Writes a line of results. */
  out(line: string): void;
  /** Writes a line about the run itself: faults, hints. */
  err(line: string): void;
}

/** The terminal of this process. */
export const processTerminal: Terminal = {
  environment: process.env,
  out: (line) => void process.stdout.write(`${line}\n`),
  err: (line) => void process.stderr.write(`${line}\n`),
};

/** Pairs in two columns, one a line. */
export function columns(pairs: readonly (readonly [string, string])[]): string {
  const width = Math.max(0, ...pairs.map(([name]) => name.length));
  return pairs.map(([name, text]) => `${name.padEnd(width)}  ${text}`).join('\n');
}
