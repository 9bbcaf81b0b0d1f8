import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { startGuarded, type GuardedProcess } from '@wherry/embedded';
import { pinned } from './load.ts';
import type { ClusterAddress } from '../cluster.ts';

/** What every server under load is told. */
export interface ServerSettings extends ClusterAddress {
  readonly issuer: string;
  readonly audience: string;
  /** PEM, SubjectPublicKeyInfo. */
  readonly publicKey: string;
  readonly redisUrl: string;
  /** Signs the cookies of the session server. */
  readonly cookieSecret: string;
}

/** A server under load, in a process of its own. */
export interface RunningServer {
  readonly url: string;
  stop(): Promise<void>;
}

/** The servers, by name. */
const SERVERS = {
  bare: new URL('./servers/bare.ts', import.meta.url),
  wherry: new URL('./servers/wherry.ts', import.meta.url),
  'express-jwt': new URL('./servers/express-jwt.ts', import.meta.url),
  'express-session': new URL('./servers/express-session.ts', import.meta.url),
  'fastify-jwt': new URL('./servers/fastify-jwt.ts', import.meta.url),
};

/** How Node is told to run a server: ours as docs/5-operations.md says, the others as it comes. */
const NODE_OPTIONS: Partial<Record<keyof typeof SERVERS, readonly string[]>> = { wherry: ['--max-semi-space-size=1'] };

/** The name of a server. */
export type ServerName = keyof typeof SERVERS;

/** All names. */
export const SERVER_NAMES: readonly ServerName[] = Object.keys(SERVERS) as ServerName[];

const VARIABLE = 'WHERRY_BENCH_SERVER';
const LISTENING = /^listening (\d+)$/m;

/** Starts a server in production mode, on the first core. */
export async function startServer(name: ServerName, settings: ServerSettings): Promise<RunningServer> {
  const file = fileURLToPath(SERVERS[name]);
  const profile = process.env['WHERRY_BENCH_PROFILE'];
  const options = profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`, `--cpu-prof-name=${name}.cpuprofile`];
  const [command = process.execPath, ...args] = pinned(0, [
    process.execPath,
    '--conditions=source',
    ...(NODE_OPTIONS[name] ?? []),
    ...options,
    file,
  ]);
  const server: GuardedProcess = await startGuarded({
    command,
    args,
    endSignal: 'TERM',
    env: { NODE_ENV: 'production', [VARIABLE]: JSON.stringify(settings) },
    isReady: (output) => LISTENING.test(output),
  });
  return { url: `http://127.0.0.1:${LISTENING.exec(server.output())?.[1]}`, stop: () => server.stop() };
}

/** The settings of this process, where it is a server under load. */
export function ownSettings(): ServerSettings {
  const text = process.env[VARIABLE];
  if (text === undefined) throw new Error('this file is started by the bench of the gateway');
  return JSON.parse(text) as ServerSettings;
}

/** Serves on a free port and says which. */
export function serve(listener: RequestListener): Server {
  const server = createServer(listener);
  server.listen(0, '127.0.0.1', () => announce((server.address() as AddressInfo).port));
  return server;
}

/** Says that this process serves, and ends it when asked. */
export function announce(port: number): void {
  // In order, so that a profile is written.
  process.once('SIGTERM', () => process.exit(0));
  console.log(`listening ${port}`);
}
