import { Lifecycle } from '@wherry/core';
import { createLogger } from '@wherry/core/log';
import { migrationStatus } from '@wherry/migrator';
import type { Command } from 'commander';
import { checkRoles } from '../config/index.ts';
import { ProgressDisplay, screenOf } from '../progress/progress-display.ts';
import { prepareDatabases } from '../roles/foundation.ts';
import { addMigratorRole } from '../roles/migrator.ts';
import type { Terminal } from '../terminal.ts';
import { loadedConfig } from './loaded-config.ts';
import { statusText } from './migrate-text.ts';

/** Drives the migration in this process until it has reached its goal or is told to end, and prints where it stands. */
export async function runMigration(command: Command, terminal: Terminal, writers: 'instrumented' | 'captured' | 'none'): Promise<void> {
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
