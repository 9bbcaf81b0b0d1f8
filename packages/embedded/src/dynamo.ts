import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from './free-port.ts';
import { startGuarded, type GuardedProcess } from './guarded-process.ts';

/** A running store that speaks DynamoDB's protocol. */
export interface DynamoServer {
  readonly port: number;
  /** For the `endpoint` option of the client; region and keys can be anything. */
  readonly endpoint: string;
  /** Stops the server and keeps its data; `start` brings it back on the same port. For tests of outages. */
  pause(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts dynalite as a process of its own with its data on disk. It proves protocol, conditions and paging; it does
 * not prove throttling, eventual consistency, time-to-live deletion or streams, which it does not have.
 */
export async function startDynamo(): Promise<DynamoServer> {
  const folder = mkdtempSync(join(tmpdir(), 'wherry-dynamo-'));
  const port = await freePort();
  // Built or not, the neighbour has the extension of this file.
  const script = fileURLToPath(import.meta.resolve(import.meta.url.endsWith('.ts') ? './dynamo-server.ts' : './dynamo-server.js'));
  const launch = (): Promise<GuardedProcess> =>
    startGuarded({
      command: process.execPath,
      args: [script, String(port), folder],
      endSignal: 'TERM',
      isReady: (output) => output.includes('ready'),
    });
  let server: GuardedProcess | undefined = await launch();
  return {
    port,
    endpoint: `http://127.0.0.1:${port}`,
    pause: async () => {
      await server?.stop();
      server = undefined;
    },
    start: async () => {
      server ??= await launch();
    },
    stop: async () => {
      await server?.stop();
      server = undefined;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
