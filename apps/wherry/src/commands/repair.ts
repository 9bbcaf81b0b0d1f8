import type { Command } from 'commander';
import type { Terminal } from '../terminal.ts';
import { parsePositive } from './numbers.ts';

/** What `wherry migrate repair` is asked for. */
export interface RepairOptions {
  readonly dryRun?: true;
  readonly limit: number;
  readonly json?: true;
}

/** Adds `wherry migrate repair`. */
export function addRepairCommand(migrate: Command, terminal: Terminal): void {
  migrate
    .command('repair')
    .description('work off the repairs that wait, as a running migrator does by itself; or say what that would do')
    .option('--dry-run', 'change nothing: read both sides and print what each repair would do')
    .option('--limit <number>', 'of a dry run: sessions looked at, at most', parsePositive, 100)
    .option('--json', 'print JSON')
    .action(async (options: RepairOptions, command: Command) => {
      await (await import('./repair-run.ts')).runRepair(command, terminal, options);
    });
}
