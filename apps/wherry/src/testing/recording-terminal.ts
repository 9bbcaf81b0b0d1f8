import { runProgram } from '../program.ts';

/** What one run of the command line left behind. */
export interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs the command line in this process; words are parted at single spaces. */
export async function run(line: string, environment: Readonly<Record<string, string>> = {}): Promise<Run> {
  const out: string[] = [];
  const err: string[] = [];
  const words = line === '' ? [] : line.split(' ');
  const code = await runProgram(words, { environment, out: (text) => out.push(text), err: (text) => err.push(text) });
  return { code, out: out.join('\n'), err: err.join('\n') };
}
