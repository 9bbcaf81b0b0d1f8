import { WherryError } from '@wherry/core';
import type { Command } from 'commander';
import type { Terminal } from '../terminal.ts';
import { DumpFault } from '../verify-dump/dump-fault.ts';
import { verdictText } from '../verify-dump/verdict-text.ts';
import { verifyDumps } from '../verify-dump/verify-dumps.ts';
import { parsePositive, parseWhole } from './numbers.ts';

/** Adds `wherry verify-dump`: 0 the exports say the same, 1 they differ, 2 one of them cannot be compared. */
export function addVerifyDumpCommand(program: Command, terminal: Terminal): void {
  program
    .command('verify-dump')
    .description('compare two exports of sessions by code of its own; needs no server')
    .argument('<first>', 'a file of wherry migrate export, usually of the source')
    .argument('<second>', 'another one, usually of the target')
    .option('--sample <number>', 'sessions shown of each class', parseWhole, 5)
    .option('--memory <mebibytes>', 'sessions sorted at a time', parsePositive, 16)
    .option('--json', 'print JSON')
    .action((first: string, second: string, options: { sample: number; memory: number; json?: true }) => {
      const verdict = compared(() => verifyDumps(first, second, { sample: options.sample, memoryBytes: options.memory * 1024 * 1024 }));
      terminal.out(options.json === true ? JSON.stringify(verdict) : verdictText(verdict));
      if (!verdict.equal) throw new WherryError('exports_differ', 'the two exports do not say the same');
    });
}

function compared<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof DumpFault)) throw error;
    throw new WherryError('config_invalid', error.message, { cause: error });
  }
}
