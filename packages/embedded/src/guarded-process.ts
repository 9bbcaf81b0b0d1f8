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
  readonly uid?: number;
  readonly gid?: number;
  /** Also end when this process ends; default true. */
  readonly endWithParent?: boolean;
}

/**
 * The guard reads its standard input, which is a pipe from us: it ends when we close it or die, whatever the way, and
 * then the guard ends the server. Signals to our process group do not reach the server before we have drained.
 */
const GUARD = 'trap "" INT TERM HUP; "$@" <&- & pid=$!; cat >/dev/null; kill -s "$END_SIGNAL" $pid; wait $pid';

/** Starts a server under a guard and resolves when it is ready. Rejects with its output when it ends or is late. */
export async function startGuarded(options: GuardedProcessOptions): Promise<GuardedProcess> {
  const child = spawn('sh', ['-c', GUARD, 'wherry-guard', options.command, ...options.args], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', ...options.env, END_SIGNAL: options.endSignal ?? 'INT' },
    ...(options.uid === undefined ? {} : { uid: options.uid }),
    ...(options.gid === undefined ? {} : { gid: options.gid }),
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => (output = (output + text).slice(-16_384)));
  }
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  child.stdin.on('error', () => undefined);
  const stop = async (): Promise<void> => {
    child.stdin.end();
    await ended;
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

async function untilReady(options: GuardedProcessOptions, output: () => string, child: ChildProcess): Promise<void> {
  const deadline = performance.now() + (options.readyMs ?? 20_000);
  while (!(await options.isReady(output()))) {
    if (child.exitCode !== null || serverEnded(child)) throw new Error(`${options.command} ended at once:\n${output()}`);
    if (performance.now() > deadline) throw new Error(`${options.command} was not ready in time:\n${output()}`);
    await new Promise((resolve) => setTimeout(resolve, 15));
  }
}

/** The guard itself lives on when the server fails at start; its output streams end with the server. */
function serverEnded(child: ChildProcess): boolean {
  return child.stdout?.readableEnded === true && child.stderr?.readableEnded === true;
}
