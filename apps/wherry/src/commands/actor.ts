import type { Terminal } from '../terminal.ts';

/** Who acts, for the audit log: named, or the user who runs the command. */
export function actorOf(options: { readonly actor?: string }, { environment }: Terminal): string {
  return options.actor ?? environment['SUDO_USER'] ?? environment['USER'] ?? environment['LOGNAME'] ?? 'operator';
}
