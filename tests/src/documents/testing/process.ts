import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** A program of this repository as a process of its own. */
export interface RunningProgram extends AsyncDisposable {
  /** The line of output by which it told that it is ready. */
  readonly ready: string;
}

/** Starts a file under `environment` alone and waits for a line that fits `ready`. */
export async function startProgram(
  file: string,
  words: readonly string[],
  environment: Readonly<Record<string, string>>,
  ready: RegExp,
): Promise<RunningProgram> {
  const path = fileURLToPath(new URL(`../../../../${file}`, import.meta.url));
  const child = spawn(process.execPath, ['--conditions=source', path, ...words], {
    env: { PATH: process.env['PATH'] ?? '', ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  const line = await lineOf(child, ready, ended);
  return {
    ready: line,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/** The lines after it are read as well: a full pipe would stop the program. */
async function lineOf(child: ChildProcess, ready: RegExp, ended: Promise<unknown>): Promise<string> {
  if (child.stdout === null) throw new Error('a program without output');
  const lines = createInterface({ input: child.stdout });
  const told: string[] = [];
  const found = new Promise<string>((resolve) => {
    lines.on('line', (line) => {
      if (ready.test(line)) resolve(line);
      else if (told.length < 20) told.push(line);
    });
  });
  const first = await Promise.race([found, ended.then(() => undefined)]);
  if (first === undefined) throw new Error(`the program ended at its start:\n${told.join('\n')}`);
  return first;
}
