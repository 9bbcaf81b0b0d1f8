import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { startGuarded } from '@wherry/embedded';
import type { ClusterAddress } from '../cluster.ts';

/** What the gateway is told. */
export interface GatewaySettings extends ClusterAddress {
  readonly redisUrl: string;
  readonly cookieSecret: string;
  /** Whether hot sessions are read ahead. */
  readonly warm: boolean;
}

/** What the clients are told. */
export interface AskerSettings {
  readonly url: string;
  /** Values of Cookie headers, those asked for most first. */
  readonly cookies: readonly string[];
  readonly perSecond: number;
}

/** What clients saw since they were asked last. Milliseconds. */
export interface Seen {
  readonly requests: number;
  readonly faults: number;
  readonly p50: number;
  readonly p99: number;
  readonly most: number;
}

const VARIABLE = 'WHERRY_BENCH_SWITCH_GATEWAY';
const LISTENING = /^listening (\d+)$/m;

/** A gateway in a process of its own. */
export async function startGateway(settings: GatewaySettings): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const server = await startGuarded({
    command: process.execPath,
    args: ['--conditions=source', fileURLToPath(new URL('./gateway-process.ts', import.meta.url))],
    endSignal: 'TERM',
    env: { NODE_ENV: 'production', [VARIABLE]: JSON.stringify(settings) },
    isReady: (output) => LISTENING.test(output),
    readyMs: 60_000,
  });
  return { url: `http://127.0.0.1:${LISTENING.exec(server.output())?.[1]}`, stop: () => server.stop() };
}

/** Clients in a process of their own: what they measure is not what this process does. */
export interface Asker {
  /** What was seen since the last call. */
  seen(): Promise<Seen>;
  stop(): void;
}

/** Starts them. */
export function startAsker(settings: AskerSettings): Asker {
  const child = fork(fileURLToPath(new URL('./asker-process.ts', import.meta.url)), { execArgv: ['--conditions=source'] });
  // Too much for its environment.
  child.send(settings);
  return {
    seen: () =>
      new Promise((resolve, reject) => {
        child.once('exit', (code) => reject(new Error(`the clients ended with ${code}`)));
        child.once('message', (message) => resolve(message as Seen));
        child.send('seen');
      }),
    stop: () => void child.kill('SIGKILL'),
  };
}

/** The settings of this process, where it is the gateway. */
export function ownSettings(): GatewaySettings {
  const text = process.env[VARIABLE];
  if (text === undefined) throw new Error('this file is started by the bench of the switch');
  return JSON.parse(text) as GatewaySettings;
}
