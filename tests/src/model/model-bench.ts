import { createMigration, type JournalPoint, type MigrationContext } from '@wherry/migration';
import { TEST_IDENTITY, Workbench } from '@wherry/migration/testing';
import { expressJsonDecoder, type SourceStore } from '@wherry/sessions';
import { startProcess, type TestProcess } from '../support/test-process.ts';
import { Pulse } from './pulse.ts';

/** Longer than touches wait, with room for a machine under load. */
const GRACE_MS = 80;

/** Control, shards, and the processes of all runs: two applications, a gateway and a migrator. */
export class ModelBench {
  readonly workbench: Workbench;
  readonly applications: readonly [TestProcess, TestProcess];
  readonly gateway: TestProcess;
  readonly migrator: TestProcess;
  readonly pulse: Pulse;
  readonly #stop = new AbortController();

  private constructor(
    workbench: Workbench,
    pulse: Pulse,
    [first, second, gateway, migrator]: readonly [TestProcess, TestProcess, TestProcess, TestProcess],
  ) {
    this.workbench = workbench;
    this.pulse = pulse;
    this.applications = [first, second];
    this.gateway = gateway;
    this.migrator = migrator;
  }

  static async create(postgresUrl: string): Promise<ModelBench> {
    const bench = await Workbench.create(postgresUrl);
    const control = bench.database(bench.controlUrl);
    // Every owner that a slot has ever had (I5).
    await control.query(`
      CREATE TABLE slot_history AS SELECT slot, epoch, primary_side FROM slot_map;
      CREATE FUNCTION note_owner() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN INSERT INTO slot_history VALUES (NEW.slot, NEW.epoch, NEW.primary_side); RETURN NULL; END';
      CREATE TRIGGER note_owner AFTER UPDATE ON slot_map FOR EACH ROW EXECUTE FUNCTION note_owner()`);
    const start = (role: 'writer' | 'gateway' | 'migrator'): Promise<TestProcess> => startProcess({ bench, role });
    const pulse = await Pulse.start(control);
    return new ModelBench(bench, pulse, [await start('writer'), await start('writer'), await start('gateway'), await start('migrator')]);
  }

  get #processes(): readonly TestProcess[] {
    return [...this.applications, this.gateway, this.migrator];
  }

  /** Forgets the sessions of the run before; slots keep the side that they have. */
  async clear(): Promise<void> {
    const { runtime } = this.migrator;
    await runtime.control.query(
      'TRUNCATE repair_entry, revocation, dead_letter, migration_pass, migration_difference, migration_verification, migration_journal',
    );
    await runtime.control.query(`DELETE FROM instance WHERE lease_until <= wherry_now()`);
    await runtime.control.query('UPDATE migration SET verified_since = NULL');
    for (const { database } of runtime.shards.all) await database.query('TRUNCATE user_session');
  }

  /** A migration of `source` whose migrator leads, and does nothing by itself. */
  async migrate(source: SourceStore, at: (point: JournalPoint) => Promise<void>): Promise<MigrationContext> {
    const { context } = await createMigration({
      runtime: this.migrator.runtime,
      source,
      decode: expressJsonDecoder({ identity: TEST_IDENTITY }),
      signal: this.#stop.signal,
      writers: 'instrumented',
      tombstoneMs: 3_600_000,
      graceMs: GRACE_MS,
      at,
    });
    if (!(await context.journal.lead())) throw new Error('another migrator leads');
    return context;
  }

  /** Lets every process write what it has put off. */
  async drain(): Promise<void> {
    for (const { faults, runtime } of this.#processes) {
      faults.clear();
      await runtime.drain();
    }
  }

  /** Slots that had two primary sides under one epoch: there must be none. */
  async ownersInConflict(): Promise<number[]> {
    const { rows } = await this.migrator.runtime.control.query<{ slot: number }>(
      'SELECT slot FROM slot_history GROUP BY slot, epoch HAVING count(DISTINCT primary_side) > 1',
    );
    return rows.map(({ slot }) => slot);
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.pulse.close();
    for (const process of this.#processes.toReversed()) await process.leave();
    await this.workbench.close();
  }
}
