import type { Command } from 'commander';
import type { Terminal } from '../terminal.ts';

/** Who acts and why, as the command line gives it. */
export interface ActOptions {
  readonly reason?: string;
  readonly actor?: string;
}

/** Adds the options of {@link ActOptions}. */
export function withActOptions(command: Command): Command {
  return command
    .option('--reason <text>', 'why, for the audit log')
    .option('--actor <name>', 'who, for the audit log (default: the name of the user)');
}

/** What the audit log is told: the actor named, or the user who runs the command. */
export function actOf({ actor, reason }: ActOptions, { environment }: Terminal): { readonly actor: string; readonly reason?: string } {
  return {
    actor: actor ?? environment['SUDO_USER'] ?? environment['USER'] ?? environment['LOGNAME'] ?? 'operator',
    ...(reason === undefined ? {} : { reason }),
  };
}
