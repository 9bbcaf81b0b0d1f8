import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Lifecycle, silentLogger } from '@wherry/core';
import { openDatabase, type Database } from '@wherry/core/control';
import { PATIENT_MS, createTestDatabase, type TestDatabase } from '@wherry/embedded/testing';
import { sourceRefKeyOf, sourceRefKeyText, type CarriedSessions, type SourceStore } from '@wherry/sessions';
import { connectWherry } from '@wherry/sessions/express';
import {
  addGatewayRole,
  addMigratorRole,
  loadConfig,
  openSource,
  prepareDatabases,
  requireMasterKey,
  runProgram,
  sourceDecoder,
} from '@wherry/wherry';

const SHADOW_MS = 100;

/** Everything that a migration needs, as the program makes it of its configuration, in this process. */
export interface Town extends AsyncDisposable {
  readonly control: Database;
  readonly gatewayUrl: string;
  /** What a wrapped application does to its sessions. */
  readonly sessions: CarriedSessions;
  readonly source: SourceStore;
  /** Begins the migration. */
  migrate(): Promise<void>;
  /** Resolves when it has reached its goal. */
  atGoal(): Promise<void>;
  /** Runs a command line; answers what it prints. */
  wherry(line: string): Promise<string>;
}

/** Opens one on servers that are there; `source`: the variables that name it, without its `format`. */
export async function openTown(postgresUrl: string, source: Readonly<Record<string, string>>, format: string): Promise<Town> {
  await using stack = new AsyncDisposableStack();
  const databases: TestDatabase[] = [];
  stack.defer(async () => void (await Promise.all(databases.map((database) => database.drop()))));
  for (let n = 0; n < 3; n++) databases.push(await createTestDatabase(postgresUrl));
  const [controlUrl = '', ...shardUrls] = databases.map(({ url }) => url);
  const unnamed = {
    ...source,
    WHERRY_CONTROL_URL: controlUrl,
    WHERRY_SHARDS_URLS: shardUrls.join(','),
    WHERRY_MASTER_KEY: randomBytes(32).toString('base64'),
    WHERRY_MIGRATOR_PORT: '0',
    WHERRY_MIGRATOR_HOST: '127.0.0.1',
    WHERRY_GATEWAY_PORT: '0',
    WHERRY_GATEWAY_HOST: '127.0.0.1',
    USER: 'ada',
  };
  const environment = { ...unnamed, WHERRY_SOURCE_FORMAT: format };
  const { config } = loadConfig({ environment });
  await prepareDatabases(config);
  const control = openDatabase({ url: controlUrl, statementMs: PATIENT_MS });
  stack.defer(() => control.end());
  const gateways = stack.adopt(new Lifecycle({ log: silentLogger }), (lifecycle) => lifecycle.end());
  const gateway = await addGatewayRole(gateways, config, silentLogger);
  await gateways.run();
  const sourceRefKey = sourceRefKeyText(sourceRefKeyOf(requireMasterKey(config)));
  const application = stack.adopt(await connectWherry({ controlUrl, shardUrls, sourceRefKey }), (wherry) => wherry.close());
  const store = stack.adopt(await openSource(config), (opened) => opened.close());
  const migrators = stack.adopt(new Lifecycle({ log: silentLogger }), (lifecycle) => lifecycle.end());
  const service = await addMigratorRole(migrators, config, silentLogger, { writers: 'instrumented', shadowMs: SHADOW_MS });
  const folder = stack.adopt(await mkdtemp(join(tmpdir(), 'wherry-sources-')), (path) => rm(path, { recursive: true }));
  const rest = stack.move();
  return {
    control,
    gatewayUrl: `http://127.0.0.1:${gateway.port}`,
    sessions: application.runtime.carry({ source: store, decode: sourceDecoder(config) }),
    source: store,
    migrate: () => migrators.run(),
    atGoal: () => service.migration.migrator.atGoal(),
    async wherry(line) {
      const said: string[] = [];
      const words = `${line}${line.startsWith('migrate plan') ? ` --out ${folder}` : ''}`.split(' ');
      // A plan is to find out by itself.
      const known = line.startsWith('migrate plan') ? unnamed : environment;
      const code = await runProgram(words, { environment: known, out: (text) => said.push(text), err: (text) => said.push(text) });
      if (code !== 0) throw new Error(`wherry ${line}: ${code} ${said.join('\n')}`);
      return said.join('\n');
    },
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  };
}
