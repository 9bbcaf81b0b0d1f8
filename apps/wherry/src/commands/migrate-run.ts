import { Lifecycle } from '@wherry/core';
import { createLogger } from '@wherry/core/log';
import { createMigration, planMigration } from '@wherry/migration';
import { migrationStatus } from '@wherry/migrator';
import type { Command } from 'commander';
import { checkRoles } from '../config/index.ts';
import { ProgressDisplay, screenOf } from '../progress/progress-display.ts';
import { prepareDatabases } from '../roles/foundation.ts';
import { addMigrationParts, addMigratorRole } from '../roles/migrator.ts';
import { sourceDecoder } from '../roles/source.ts';
import type { Terminal } from '../terminal.ts';
import { loadedConfig } from './loaded-config.ts';
import { planText, statusText } from './migrate-text.ts';

/** Drives the migration in this process until it has reached its goal or is told to end, and prints where it stands. */
export async function runMigration(command: Command, terminal: Terminal, writers: 'instrumented' | 'none'): Promise<void> {
  const { config } = loadedConfig(command, terminal);
  checkRoles(config, ['migrator']);
  await prepareDatabases(config);
  const display = new ProgressDisplay(screenOf(process.stderr));
  const log = createLogger({ level: 'warn', fields: { role: 'migrator' } });
  const lifecycle = new Lifecycle({ log });
  const service = await addMigratorRole(lifecycle, config, log, { writers, progress: display });
  lifecycle.endOnSignals();
  await lifecycle.run();
  try {
    await Promise.race([service.migration.migrator.atGoal(), lifecycle.ended]);
    display.finish();
    terminal.out(statusText(await migrationStatus(service.migration.context.control)));
  } finally {
    await lifecycle.end();
  }
}

/** Samples the source and prints what a migration would meet. */
export async function runPlan(command: Command, terminal: Terminal, json: boolean): Promise<void> {
  const { config } = loadedConfig(command, terminal);
  checkRoles(config, ['migrator']);
  await prepareDatabases(config);
  const log = createLogger({ level: 'warn', fields: { role: 'plan' } });
  const lifecycle = new Lifecycle({ log });
  const parts = await addMigrationParts(lifecycle, config, log);
  await lifecycle.run();
  try {
    const { context } = await createMigration({
      ...parts,
      decode: sourceDecoder(config),
      writers: 'none',
      signal: new AbortController().signal,
    });
    const plan = await planMigration(context);
    terminal.out(json ? JSON.stringify(plan) : planText(plan));
  } finally {
    await lifecycle.end();
  }
}
