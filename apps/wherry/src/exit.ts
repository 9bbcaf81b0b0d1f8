import { isWherryError } from '@wherry/core';
import { CommanderError } from 'commander';
import type { Terminal } from './terminal.ts';

/** How the command ends: done; refused or failed; called or configured wrongly. */
export const EXIT = { done: 0, failed: 1, usage: 2 } as const;

const SQLSTATE = /^[0-9A-Z]{5}$/;

/** Says in one line on `terminal` why a command ended, and answers the exit code. */
export function exitCodeOf(error: unknown, terminal: Terminal): number {
  // Commander has said what is to be said; help and version are errors of its kind with exit code 0.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  if (isWherryError(error)) {
    terminal.err(`wherry: ${error.message}`);
    return error.code === 'config_invalid' ? EXIT.usage : EXIT.failed;
  }
  if (error instanceof Error && 'code' in error && SQLSTATE.test(String(error.code))) {
    terminal.err(`wherry: the database refused (${String(error.code)}): ${error.message}`);
    return EXIT.failed;
  }
  terminal.err(`wherry: ${error instanceof Error ? (error.stack ?? error.message) : 'an unexpected fault'}`);
  return EXIT.failed;
}
