import { spawn, type ChildProcess } from 'node:child_process';

/** A server process that ends when this one does, even by kill -9. */
export interface GuardedProcess {
  /** The guard's process id. */
  readonly pid: number;
  /** What it has written so far, at most the last 16 KiB. */
  output(): string;
  /** Resolves when it has ended. */
  readonly ended: Promise<void>;
  /** Ends it and waits for its end. */
  stop(): Promise<void>;
}

/** Options of {@link startGuarded}. */
export interface GuardedProcessOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Signal on which the server ends in order; default INT. */
  readonly endSignal?: 'INT' | 'TERM';
  /** True when the output so far says that the server is ready. */
  readonly isReady: (output: string) => boolean | Promise<boolean>;
  /** Default 20000. */
  readonly readyMs?: number;
  /** How long the end may take before the server is killed; default 15000. */
  readonly endMs?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Deleted when this process dies without having called `stop`: what a killed test run leaves behind adds up. */
  readonly orphanFolder?: string;
}

/**
 * The guard reads its standard input, which is a pipe from us: it ends when we close it or die, whatever the way, and
 * then the guard ends the server. When we close it by our own will we write a word first; without one the server's
 * folder has become an orphan. Signals to our process group do not reach the server before we have drained. The guard
 * lets go of the output, so that its end is the server's, and ignores signals only after the start, because what is
 * ignored is inherited.
 */
const GUARD = `
  "$@" </dev/null & pid=$!
  trap "" INT TERM HUP
  exec >/dev/null 2>&1
  word=$(cat)
  kill -s "$END_SIGNAL" $pid
  wait $pid
  if [ -z "$word" ] && [ -n "$ORPHAN" ]; then rm -rf -- "$ORPHAN"; fi`;

/** Starts a server under a guard and resolves when it is ready. Rejects with its output when it ends or is late. */
export async function startGuarded(options: GuardedProcessOptions): Promise<GuardedProcess> {
  const child = spawn('sh', ['-c', GUARD, 'wherry-guard', options.command, ...options.args], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'] ?? '/usr/bin:/bin',
      ...options.env,
      END_SIGNAL: options.endSignal ?? 'INT',
      ORPHAN: options.orphanFolder ?? '',
    },
    ...(options.uid === undefined ? {} : { uid: options.uid }),
    ...(options.gid === undefined ? {} : { gid: options.gid }),
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => (output = (output + text).slice(-16_384)));
  }
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  child.once('error', (error) => (output += `\n${error.message}`));
  child.stdin.on('error', () => undefined);
  const stop = async (): Promise<void> => {
    child.stdin.end('end');
    const timer = setTimeout(() => killGroup(child), options.endMs ?? 15_000);
    await ended;
    clearTimeout(timer);
  };
  try {
    await untilReady(options, () => output, child);
  } catch (error) {
    await stop();
    throw error;
  }
  // The server must not keep this process from ending by itself; the closed pipe ends the server then.
  child.unref();
  for (const stream of [child.stdin, child.stdout, child.stderr])
    if ('unref' in stream && typeof stream.unref === 'function') stream.unref();
  return { pid: child.pid ?? 0, output: () => output, ended, stop };
}

/** The guard leads a process group, since it was started detached; the server is in it. */
function killGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}

async function untilReady(options: GuardedProcessOptions, output: () => string, child: ChildProcess): Promise<void> {
  const deadline = performance.now() + (options.readyMs ?? 20_000);
  while (!(await options.isReady(output()))) {
    if (child.exitCode !== null || child.pid === undefined || serverEnded(child))
      throw new Error(`${options.command} ended at once:\n${output()}`);
    if (performance.now() > deadline) throw new Error(`${options.command} was not ready in time:\n${output()}`);
    await new Promise((resolve) => setTimeout(resolve, 15));
  }
}

/** The guard itself lives on when the server fails at start; the output ends with the server. */
function serverEnded(child: ChildProcess): boolean {
  return child.stdout?.readableEnded === true && child.stderr?.readableEnded === true;
}
