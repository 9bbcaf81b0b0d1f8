import { Option, type Command } from 'commander';
import { SESSION_FORMATS } from '@wherry/sessions';
import type { Terminal } from '../terminal.ts';
import { parsePositive } from './numbers.ts';

/** What `wherry migrate plan` is asked for. */
export interface PlanOptions {
  readonly source?: string;
  readonly format?: string;
  readonly prefix?: string;
  readonly sample: number;
  readonly out: string;
  readonly json?: true;
}

/** Adds `wherry migrate plan`. */
export function addPlanCommand(migrate: Command, terminal: Terminal): void {
  migrate
    .command('plan')
    .description('sample the source, say what a migration would meet, and propose schema and mapping; changes nothing there')
    .option('--source <url>', 'where the sessions are (default: the configured source)')
    .addOption(
      new Option('--format <name>', 'how the application keeps them (default: found out)').choices(SESSION_FORMATS.map(({ name }) => name)),
    )
    .option('--prefix <text>', "what stands before the session id in the store's keys (default: as the format has it)")
    .option('--sample <number>', 'sessions looked at, at most', parsePositive, 5000)
    .option('--out <folder>', 'where schema, mapping and report are written', 'plan')
    .option('--json', 'print JSON')
    .action(async (options: PlanOptions, command: Command) => {
      await (await import('./plan-run.ts')).runPlan(command, terminal, options);
    });
}
