import { fileURLToPath } from 'node:url';
import { startGuarded } from '@wherry/embedded';
import type { ClusterAddress } from '../cluster.ts';

/** What each gateway is told. */
export interface GatewaySettings extends ClusterAddress {
  readonly issuer: string;
  readonly audience: string;
  /** Where the stream of revocations is; undefined: there is none. */
  readonly streamUrl?: string;
}

/** A gateway in a process of its own. */
export interface RunningGateway {
  readonly url: string;
  stop(): Promise<void>;
}

const VARIABLE = 'WHERRY_BENCH_GATEWAY';
const LISTENING = /^listening (\d+)$/m;

/** Starts one; it has loaded the revocations when this resolves. */
export async function startGateway(settings: GatewaySettings): Promise<RunningGateway> {
  const file = fileURLToPath(new URL('./gateway-process.ts', import.meta.url));
  const server = await startGuarded({
    command: process.execPath,
    args: ['--conditions=source', file],
    endSignal: 'TERM',
    env: { NODE_ENV: 'production', [VARIABLE]: JSON.stringify(settings) },
    isReady: (output) => LISTENING.test(output),
    readyMs: 60_000,
  });
  return { url: `http://127.0.0.1:${LISTENING.exec(server.output())?.[1]}`, stop: () => server.stop() };
}

/** The settings of this process, where it is one. */
export function ownSettings(): GatewaySettings {
  const text = process.env[VARIABLE];
  if (text === undefined) throw new Error('this file is started by the bench of revocation');
  return JSON.parse(text) as GatewaySettings;
}
