import { InvalidArgumentError, type Command } from 'commander';
import type { SoakOptions } from '../soak/run-soak.ts';
import type { Terminal } from '../terminal.ts';
import { parseWhole } from './numbers.ts';

/** Adds `wherry soak`: the whole system under faults, on servers of its own. It runs from a checkout of the repository. */
export function addSoakCommand(program: Command, terminal: Terminal): void {
  program
    .command('soak')
    .description('run everything under live traffic while processes and servers fail by a schedule; a ledger judges')
    .option('--minutes <number>', 'how long faults are struck', parseMinutes, 5)
    .option('--seed <number>', "decides faults and users' choices", parseWhole, 1)
    .option('--sessions <number>', 'users signed in beforehand', parseWhole, 5000)
    .option('--users <number>', 'virtual users who keep working', parseWhole, 60)
    .action(async (options: SoakOptions) => (await import('../soak/run-soak.ts')).runSoak(options, terminal));
}

function parseMinutes(text: string): number {
  if (!/^\d{1,4}(\.\d{1,2})?$/.test(text) || Number(text) === 0) throw new InvalidArgumentError('Allowed is 0.01 to 9999.99.');
  return Number(text);
}
