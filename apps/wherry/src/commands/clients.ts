import { readClientUsage, readObservedUse, type ObservedUse, type UsageEntry } from '@wherry/rollout';
import type { Command } from 'commander';
import type { Terminal } from '../terminal.ts';
import { withControl } from './control-database.ts';

/** What one version of a client has used. Times in epoch milliseconds; null: never. */
interface ClientLine {
  readonly clientId: string;
  /** Empty: not known. */
  readonly version: string;
  readonly lastSession: number | null;
  readonly lastJwt: number | null;
  readonly sessionRequests: number;
  readonly jwtRequests: number;
}

/** Adds `wherry clients`: who still uses session credentials. It talks to the control database directly. */
export function addClientsCommand(program: Command, terminal: Terminal): void {
  program
    .command('clients')
    .description('print which clients still use session credentials, those that used one last first')
    .option('--json', 'print JSON')
    .action(async (options: { json?: true }, command: Command) => {
      await withControl(command, terminal, async (database) => {
        const clients = clientLines(await readClientUsage(database));
        const observed = await readObservedUse(database);
        terminal.out(options.json === true ? JSON.stringify({ clients, ...observed }) : clientsText(clients, observed));
      });
    });
}

/** One line for each version of each client. */
function clientLines(entries: readonly UsageEntry[]): readonly ClientLine[] {
  const groups = Map.groupBy(entries, ({ clientId, version }) => `${clientId} ${version}`);
  const lines = [...groups.values()].map((group): ClientLine => {
    const [sessions, jwts] = [group.filter(({ kind }) => kind !== 'jwt'), group.filter(({ kind }) => kind === 'jwt')];
    const { clientId = '', version = '' } = group[0] ?? {};
    return {
      clientId,
      version,
      lastSession: lastOf(sessions),
      lastJwt: lastOf(jwts),
      sessionRequests: sumOf(sessions),
      jwtRequests: sumOf(jwts),
    };
  });
  return lines.toSorted((a, b) => (b.lastSession ?? -1) - (a.lastSession ?? -1) || (b.lastJwt ?? -1) - (a.lastJwt ?? -1));
}

function lastOf(entries: readonly UsageEntry[]): number | null {
  return entries.length === 0 ? null : Math.max(...entries.map(({ lastUsed }) => lastUsed));
}

function sumOf(entries: readonly UsageEntry[]): number {
  return entries.reduce((sum, { requests }) => sum + requests, 0);
}

function clientsText(clients: readonly ClientLine[], { observedSince, lastSessionUse, silent }: ObservedUse): string {
  const head = ['client', 'version', 'session last used', 'requests', 'JWT last used', 'requests'];
  const rows = clients.map(({ clientId, version, lastSession, lastJwt, sessionRequests, jwtRequests }) => [
    clientId,
    version === '' ? '-' : version,
    timeText(lastSession),
    String(sessionRequests),
    timeText(lastJwt),
    String(jwtRequests),
  ]);
  return [
    clients.length === 0 ? 'no client has been seen yet' : table([head, ...rows]),
    `session credentials: last used ${timeText(lastSessionUse)}, observed since ${timeText(observedSince)}`,
    ...(silent.length === 0 ? [] : [`not reporting: ${silent.join(', ')}`]),
  ].join('\n');
}

/** Lines of cells, each column as wide as its widest. */
function table(lines: readonly (readonly string[])[]): string {
  const widths = (lines[0] ?? []).map((_, at) => Math.max(...lines.map((cells) => cells[at]?.length ?? 0)));
  return lines
    .map((cells) =>
      cells
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function timeText(at: number | null): string {
  return at === null ? 'never' : new Date(at).toISOString();
}
