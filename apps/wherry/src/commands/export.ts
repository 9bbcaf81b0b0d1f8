import { Option, type Command } from 'commander';
import type { Terminal } from '../terminal.ts';

/** What `wherry migrate export` is asked for. */
export interface ExportOptions {
  readonly side: 'source' | 'target';
  readonly out: string;
}

/** Adds `wherry migrate export`. */
export function addExportCommand(migrate: Command, terminal: Terminal): void {
  migrate
    .command('export')
    .description('write what every session of one side means to a new file, for wherry verify-dump; ids as digests')
    .addOption(new Option('--side <side>', 'which side').choices(['source', 'target']).makeOptionMandatory())
    .requiredOption('--out <file>', 'a new file; it names users')
    .action(async (options: ExportOptions, command: Command) => {
      await (await import('./export-run.ts')).runExport(command, terminal, options);
    });
}
