import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onFreePort } from './free-port.ts';
import { startGuarded, type GuardedProcess } from './guarded-process.ts';
import { mongoBinary } from './mongo-binary.ts';
import { pausable, type Pausable } from './pausable.ts';
import { portAnswers } from './port-answers.ts';

/** A running server that speaks MongoDB's protocol. */
export interface MongoServer extends Pausable {
  readonly port: number;
  readonly url: string;
}

/** Where there is no MongoDB and none can be built: the line says what to do. */
export class MongoMissing extends Error {
  override readonly name = 'MongoMissing';
}

/**
 * Starts a server of its own on loopback: `mongod` from the PATH, or FerretDB 1 on SQLite, built with Go. It ends when
 * this process does. FerretDB proves protocol, conditions and paging; it does not prove write and read concerns,
 * failover, change streams or the removal by TTL indexes, which it does not have.
 */
export async function startMongo(): Promise<MongoServer> {
  const binary = mongoBinary();
  if (binary === undefined) throw new MongoMissing('no mongod on the PATH and no Go to build a compatible server: install one of them');
  const { command, args, readyWord } = binary;
  const folder = mkdtempSync(join(tmpdir(), 'wherry-mongo-'));
  const launch = (port: number): Promise<GuardedProcess> =>
    startGuarded({
      command,
      args: args(port, folder),
      isReady: (output) => output.includes(readyWord) && portAnswers(port),
      orphanFolder: folder,
    });
  const { port, started } = await onFreePort(launch);
  return { port, url: `mongodb://127.0.0.1:${port}/`, ...pausable(started, () => launch(port), folder) };
}
