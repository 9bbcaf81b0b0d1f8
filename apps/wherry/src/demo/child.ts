import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** A program of this repository as a process of its own. */
export interface Child {
  readonly pid: number | undefined;
  /** Lines of its standard output, as they come. */
  onLine(listener: (line: string) => void): void;
  /** Writes a line to its standard input. */
  send(line: string): void;
  /** Sends it a signal, as an operator or the machine would. */
  signal(signal: NodeJS.Signals): void;
  /** Resolves with its exit code when it has ended; null after a signal. */
  readonly ended: Promise<number | null>;
  /** Asks it to end in order and waits; kills it after `graceMs`. */
  stop(graceMs?: number): Promise<void>;
}

/** Options of {@link startChild}. */
export interface ChildOptions {
  /** For messages. */
  readonly name: string;
  /** Script, relative to the root of the repository. */
  readonly script: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** A line for which `ready` is true ends the start. */
  readonly ready: (line: string) => boolean;
  readonly readyMs?: number;
}

const ROOT = new URL('../../../../', import.meta.url);

/** Starts a program and resolves when it says that it is ready. Rejects with what it wrote when it ends or is late. */
export async function startChild(options: ChildOptions): Promise<Child> {
  const script = fileURLToPath(new URL(options.script, ROOT));
  const child = spawn(process.execPath, ['--conditions=source', '--disable-warning=ExperimentalWarning', script, ...(options.args ?? [])], {
    env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
    // Ctrl-C reaches us alone; we end the others in their order.
    detached: true,
  });
  const listeners: ((line: string) => void)[] = [];
  let tail = '';
  const keep = (line: string): void => void (tail = `${tail}${line}\n`.slice(-4000));
  createInterface({ input: child.stdout }).on('line', (line) => {
    keep(line);
    for (const listener of listeners) listener(line);
  });
  createInterface({ input: child.stderr }).on('line', keep);
  child.stdin.on('error', () => undefined);
  const ended = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
  const handle: Child = {
    pid: child.pid,
    onLine: (listener) => void listeners.push(listener),
    send: (line) => void child.stdin.write(`${line}\n`),
    signal: (signal) => void child.kill(signal),
    ended,
    stop: (graceMs = 15_000) => end(child, ended, graceMs),
  };
  // Should this process die without a word, the children must not live on.
  const killed = (): void => void child.kill('SIGKILL');
  process.once('exit', killed);
  void ended.then(() => process.off('exit', killed));
  await untilReady(handle, options, () => tail);
  return handle;
}

async function untilReady(child: Child, { name, ready, readyMs = 30_000 }: ChildOptions, tail: () => string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  child.onLine((line) => {
    if (ready(line)) resolve();
  });
  const late = setTimeout(() => reject(new Error(`${name} was not ready in time:\n${tail()}`)), readyMs);
  void child.ended.then((code) => reject(new Error(`${name} ended with code ${code}:\n${tail()}`)));
  try {
    await promise;
  } catch (error) {
    await child.stop(1000);
    throw error;
  } finally {
    clearTimeout(late);
  }
}

async function end(child: ChildProcessWithoutNullStreams, ended: Promise<number | null>, graceMs: number): Promise<void> {
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), graceMs);
  await ended;
  clearTimeout(late);
}
