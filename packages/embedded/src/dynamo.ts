import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onFreePort } from './free-port.ts';
import { startGuarded, type GuardedProcess } from './guarded-process.ts';
import { pausable, type Pausable } from './pausable.ts';

/** A running store that speaks DynamoDB's protocol. */
export interface DynamoServer extends Pausable {
  readonly port: number;
  /** For the `endpoint` option of the client; region and keys can be anything. */
  readonly endpoint: string;
}

/**
 * Starts dynalite as a process of its own with its data on disk. It proves protocol, conditions and paging; it does
 * not prove throttling, eventual consistency, time-to-live deletion or streams, which it does not have.
 */
export async function startDynamo(): Promise<DynamoServer> {
  const folder = mkdtempSync(join(tmpdir(), 'wherry-dynamo-'));
  // Built or not, the neighbour has the extension of this file.
  const script = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? './dynamo-server.ts' : './dynamo-server.js', import.meta.url));
  const launch = (port: number): Promise<GuardedProcess> =>
    startGuarded({
      command: process.execPath,
      args: [script, String(port), folder],
      endSignal: 'TERM',
      isReady: (output) => output.includes('ready'),
      orphanFolder: folder,
    });
  const { port, started } = await onFreePort(launch);
  return { port, endpoint: `http://127.0.0.1:${port}`, ...pausable(started, () => launch(port), folder) };
}
