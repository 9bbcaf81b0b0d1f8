import { randomBytes } from 'node:crypto';
import { applySchema, coreSchema, openDatabase, type Database } from '@wherry/core/control';
import { PATIENT_MS, createTestDatabase, type TestDatabase } from '@wherry/embedded/testing';
import { revocationSchema } from '@wherry/revocation';
import {
  SessionRuntime,
  expressJsonDecoder,
  sessionsControlSchema,
  type CarriedSessions,
  type CarriedStep,
  type SessionRuntimeOptions,
  type SourceStore,
} from '@wherry/sessions';
import { sessionsShardSchema } from '@wherry/sessions/sql';
import {
  ShardSet,
  applyShardSchema,
  initialiseSlotMap,
  installSlotMap,
  openShardDatabase,
  shardSchema,
  shardsControlSchema,
} from '@wherry/shards';
import type { MigrationContext } from '../context.ts';
import { createMigration, type MigrationOptions } from '../create.ts';
import { migrationSchema } from '../index.ts';
import type { Migrator } from '../migrator.ts';

/** Where a session of the tests keeps who it belongs to. */
export const TEST_IDENTITY = { userId: 'user.id', username: 'user.name', authorities: ['user.roles'] } as const;

/** Where a bench is, for another process. */
export interface WorkbenchAddress {
  readonly controlUrl: string;
  readonly shardUrls: readonly string[];
  /** Base64. */
  readonly masterKey: string;
}

/** A control database and shards of their own, with all tables. */
export class Workbench {
  readonly controlUrl: string;
  readonly shardUrls: readonly string[];
  readonly masterKey: Buffer;
  /** Dropped at the end; none where the bench belongs to another process. */
  readonly #databases: readonly TestDatabase[];
  readonly #closers: (() => Promise<void>)[] = [];

  private constructor({ controlUrl, shardUrls, masterKey }: WorkbenchAddress, databases: readonly TestDatabase[]) {
    this.#databases = databases;
    this.controlUrl = controlUrl;
    this.shardUrls = shardUrls;
    this.masterKey = Buffer.from(masterKey, 'base64');
  }

  /** A bench that another process has created, and drops. */
  static attach(address: WorkbenchAddress): Workbench {
    return new Workbench(address, []);
  }

  /** Where it is, for another process. */
  get address(): WorkbenchAddress {
    return { controlUrl: this.controlUrl, shardUrls: this.shardUrls, masterKey: this.masterKey.toString('base64') };
  }

  /** Creates databases and tables, control on the server at `postgresUrl`, the shards there or on their own, PostgreSQL or MySQL; every slot begins at the source. */
  static async create(postgresUrl: string, shardServers: readonly string[] = [postgresUrl, postgresUrl]): Promise<Workbench> {
    const databases: TestDatabase[] = [];
    for (const server of [postgresUrl, ...shardServers]) databases.push(await createTestDatabase(server));
    const [control0, ...shards0] = databases.map(({ url }) => url);
    const bench = new Workbench(
      { controlUrl: control0 ?? '', shardUrls: shards0, masterKey: randomBytes(32).toString('base64') },
      databases,
    );
    const control = bench.database(bench.controlUrl);
    await applySchema(control, [coreSchema, shardsControlSchema, revocationSchema, sessionsControlSchema, migrationSchema]);
    const shards = bench.shardUrls.map((url) => openShardDatabase({ url, statementMs: PATIENT_MS }));
    bench.#closers.push(...shards.map((shard) => () => shard.end()));
    for (const shard of shards) await applyShardSchema(shard, [shardSchema, sessionsShardSchema]);
    await initialiseSlotMap(control, shardServers.length, 'source');
    await installSlotMap(control, shards);
    return bench;
  }

  /** A pool that ends with the bench. */
  database(url: string): Database {
    const database = openDatabase({ url, statementMs: PATIENT_MS });
    this.#closers.push(() => database.end());
    return database;
  }

  /** A running process of the given role, in this process. It ends with the bench, or by `leave`. */
  async process(
    role: SessionRuntimeOptions['role'],
    options: Pick<SessionRuntimeOptions, 'shadowGraceMs'> = {},
  ): Promise<{ readonly runtime: SessionRuntime; leave(): Promise<void> }> {
    const control = openDatabase({ url: this.controlUrl, statementMs: PATIENT_MS });
    const shards = new ShardSet({
      shards: this.shardUrls.map((url, i) => ({ name: `shard${i}`, url })),
      statementMs: PATIENT_MS,
      deadlineMs: PATIENT_MS,
    });
    const runtime = new SessionRuntime({ control, shards, masterKey: this.masterKey, role, deadlineMs: PATIENT_MS, ...options });
    await runtime.run();
    let left = false;
    const leave = async (): Promise<void> => {
      if (left) return;
      left = true;
      await runtime.drain();
      await runtime.stop();
      await shards.stop();
      await control.end();
    };
    this.#closers.push(leave);
    return { runtime, leave };
  }

  /** Carried-over sessions as an instrumented application has them. */
  carried(runtime: SessionRuntime, source: SourceStore, at?: (step: CarriedStep) => Promise<void>): CarriedSessions {
    return runtime.carry({ source, decode: expressJsonDecoder({ identity: TEST_IDENTITY }), ...(at === undefined ? {} : { at }) });
  }

  /** A migrator in this process, running; it ends by `end`. */
  async migrator(source: SourceStore, { shadowGraceMs, ...options }: MigratorSetup = {}): Promise<RunningMigrator> {
    const { runtime, leave } = await this.process('migrator', shadowGraceMs === undefined ? {} : { shadowGraceMs });
    const stop = new AbortController();
    const { migrator, context } = await createMigration({
      runtime,
      source,
      decode: expressJsonDecoder({ identity: TEST_IDENTITY }),
      signal: stop.signal,
      writers: 'none',
      tombstoneMs: 3_600_000,
      graceMs: 200,
      shadowMs: 300,
      ...options,
    });
    await migrator.run();
    const end = async (): Promise<void> => {
      stop.abort();
      await migrator.stop();
      await leave();
    };
    this.#closers.push(end);
    return { migrator, context, end };
  }

  async close(): Promise<void> {
    for (const close of this.#closers.toReversed()) await close();
    for (const database of this.#databases) await database.drop();
  }
}

/** Options of {@link Workbench.migrator}. */
export type MigratorSetup = Partial<Omit<MigrationOptions, 'runtime' | 'source' | 'signal'>> & Pick<SessionRuntimeOptions, 'shadowGraceMs'>;

/** A migrator under test. */
export interface RunningMigrator {
  readonly migrator: Migrator;
  readonly context: MigrationContext;
  end(): Promise<void>;
}
