import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { availableParallelism } from 'node:os';

/** What the clients of a load send: GET requests that differ in the value of one header. */
export interface Load {
  readonly url: string;
  readonly path: string;
  readonly header: string;
  /** A file with one value a line, sent in turn. */
  readonly valuesFile: string;
  readonly connections: number;
  readonly seconds: number;
  /** Longest pause of each connection between two requests, ms, each by chance; 0: as fast as it goes. */
  readonly pauseMs: number;
}

/** What a load did. Times in ms. */
export interface LoadResult {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  /** Requests that were not answered, or not with success. */
  readonly faults: number;
}

interface Report {
  readonly requests: number;
  readonly microseconds: number;
  readonly p50: number;
  readonly p99: number;
  readonly refused: number;
  readonly failed: number;
}

const SCRIPT = fileURLToPath(new URL('load.lua', import.meta.url));

const onPath = (command: string): boolean => spawnSync('sh', ['-c', `command -v ${command}`]).status === 0;

/** Runs the load generator wrk, on the second core where there is one. */
export async function runLoad(load: Load): Promise<LoadResult> {
  const args = ['-t1', `-c${load.connections}`, `-d${load.seconds}s`, '-s', SCRIPT, load.url, '--', load.path, load.header];
  const [command, ...rest] = pinned(1, ['wrk', ...args, load.valuesFile, String(load.pauseMs)]);
  const child = spawn(command ?? 'wrk', rest, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  await new Promise<void>((resolve, reject) => child.once('error', reject).once('close', () => resolve()));
  const line = output.split('\n').findLast((text) => text.startsWith('{'));
  if (line === undefined) throw new Error(`wrk gave no result:\n${output}`);
  const { requests, microseconds, p50, p99, refused, failed } = JSON.parse(line) as Report;
  return { perSecond: (requests / microseconds) * 1e6, p50: p50 / 1000, p99: p99 / 1000, faults: refused + failed };
}

/** A command line bound to one core, where cores can be told apart and there is more than one. */
export function pinned(core: number, command: readonly string[]): readonly string[] {
  return availableParallelism() > 1 && onPath('taskset') ? ['taskset', '-c', String(core), ...command] : command;
}

/** Sees to it that wrk is there: on the PATH, or from the packages of this system where we are root. */
export function obtainWrk(): void {
  if (onPath('wrk')) return;
  if (process.getuid?.() === 0 && onPath('apt-get')) {
    console.log('installing wrk from the packages of this system (once)');
    const script = 'apt-get update -qq && apt-get install -y -qq --no-install-recommends wrk >/dev/null';
    spawnSync('sh', ['-c', script], { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }, stdio: ['ignore', 'ignore', 'inherit'] });
  }
  if (!onPath('wrk')) throw new Error('no wrk on the PATH: install the load generator, e.g. "apt-get install wrk"');
}
