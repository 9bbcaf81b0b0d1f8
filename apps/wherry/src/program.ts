import { Command } from 'commander';
import { addClientsCommand } from './commands/clients.ts';
import { addConfigCommands } from './commands/config.ts';
import { addDemoCommand } from './commands/demo.ts';
import { addKeyCommands } from './commands/keys.ts';
import { addMigrateCommands } from './commands/migrate.ts';
import { addRolloutCommands } from './commands/rollout.ts';
import { addSoakCommand } from './commands/soak.ts';
import { addUpCommand } from './commands/up.ts';
import { addVerifyDumpCommand } from './commands/verify-dump.ts';
import { addVersionCommand } from './commands/version.ts';
import { EXIT, exitCodeOf } from './exit.ts';
import type { Terminal } from './terminal.ts';

/** The command line. Settings that commands inherit are made here, before the first command is added. */
export function createProgram(terminal: Terminal): Command {
  const program = new Command('wherry')
    .description('Carries signed-in users from stateful sessions to stateless tokens, and their sessions into sharded SQL.')
    .option('-c, --config <file>', 'configuration file (default: WHERRY_CONFIG, else wherry.config.json where there is one)')
    .configureOutput({ writeOut: (text) => terminal.out(text.trimEnd()), writeErr: (text) => terminal.err(text.trimEnd()) })
    .configureHelp({ sortSubcommands: false, helpWidth: 100 })
    .showSuggestionAfterError()
    .exitOverride();
  addDemoCommand(program, terminal);
  addSoakCommand(program, terminal);
  addUpCommand(program, terminal);
  addMigrateCommands(program, terminal);
  addRolloutCommands(program, terminal);
  addClientsCommand(program, terminal);
  addKeyCommands(program, terminal);
  addConfigCommands(program, terminal);
  addVerifyDumpCommand(program, terminal);
  addVersionCommand(program, terminal);
  return program;
}

/** Runs the command line and answers the exit code: 0 done, 1 refused or failed, 2 called or configured wrongly. */
export async function runProgram(words: readonly string[], terminal: Terminal): Promise<number> {
  try {
    await createProgram(terminal).parseAsync(words, { from: 'user' });
    return EXIT.done;
  } catch (error) {
    return exitCodeOf(error, terminal);
  }
}
