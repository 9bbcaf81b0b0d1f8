import { WherryError } from '@wherry/core';
import { leastAcknowledged, openDatabase, type Database } from '@wherry/core/control';
import { moveRollout, readRollout, rolloutHistory, type Rollout, type RolloutCommand, type RolloutPhase } from '@wherry/rollout';
import { InvalidArgumentError, type Command } from 'commander';
import { requireControlUrl } from '../config/index.ts';
import { columns, type Terminal } from '../terminal.ts';
import { loadedConfig } from './loaded-config.ts';

interface MoveOptions {
  readonly reason?: string;
  readonly actor?: string;
  readonly expectVersion?: number;
}

const UNDEFINED_TABLE = '42P01';

/** Adds `wherry rollout …`, which talks to the control database directly: it works while every service is down. */
export function addRolloutCommands(program: Command, terminal: Terminal): void {
  const rollout = program.command('rollout').description('the change from session tokens to access tokens');
  rollout
    .command('status')
    .description('print the phase, and whether every instance acts on it')
    .option('--json', 'print JSON')
    .action(async (options: { json?: true }, command: Command) => {
      await withControl(command, terminal, async (database) => {
        terminal.out(await statusText(database, await readRollout(database), options.json === true));
      });
    });
  const move = (name: string, description: string): Command =>
    rollout
      .command(name)
      .description(description)
      .option('--reason <text>', 'why, for the audit log')
      .option('--actor <name>', 'who, for the audit log (default: the name of the user)')
      .option('--expect-version <number>', 'refuse when the rollout is at another version', parseVersion);
  move('advance', 'go to the next phase: stateful, dual, led')
    .option('--percent <percent>', 'share of the users to lead, for the move into led (default: 1)', parsePercent)
    .action(async (options: MoveOptions & { percent?: number }, command: Command) => {
      const { percent } = options;
      await runMove(command, terminal, { command: 'advance', ...(percent === undefined ? {} : { percent }) }, options);
    });
  move('set-percent', 'lead another share of the users')
    .argument('<percent>', '0 to 100 in steps of 0.01', parsePercent)
    .action(async (percent: number, options: MoveOptions, command: Command) => {
      await runMove(command, terminal, { command: 'set-percent', percent }, options);
    });
  move('rollback', 'go back to the phase before; nobody is signed out').action(async (options: MoveOptions, command: Command) => {
    await runMove(command, terminal, { command: 'rollback' }, options);
  });
  rollout
    .command('history')
    .description('print the last moves, newest first')
    .option('--limit <number>', 'how many', parseVersion, 20)
    .option('--json', 'print JSON')
    .action(async (options: { limit: number; json?: true }, command: Command) => {
      await withControl(command, terminal, async (database) => {
        const moves = await rolloutHistory(database, options.limit);
        if (options.json === true) terminal.out(JSON.stringify(moves));
        else if (moves.length === 0) terminal.out('nothing has been moved yet');
        else
          for (const { at, from, to, actor, reason } of moves)
            terminal.out(`${time(at)}  ${words(from)} -> ${words(to)}  ${actor}${reason === null ? '' : `: ${reason}`}`);
      });
    });
}

async function runMove(command: Command, terminal: Terminal, by: RolloutCommand, options: MoveOptions): Promise<void> {
  const { environment } = terminal;
  const actor = options.actor ?? environment['SUDO_USER'] ?? environment['USER'] ?? environment['LOGNAME'] ?? 'operator';
  await withControl(command, terminal, async (database) => {
    const before = await readRollout(database);
    const rollout = await moveRollout(database, by, {
      expectedVersion: options.expectVersion ?? before.version,
      actor,
      ...(options.reason === undefined ? {} : { reason: options.reason }),
    });
    terminal.out(`${words(before)} -> ${words(rollout)}`);
    terminal.out(await statusText(database, rollout, false));
  });
}

async function withControl(command: Command, terminal: Terminal, work: (database: Database) => Promise<void>): Promise<void> {
  const { config } = loadedConfig(command, terminal);
  const database = openDatabase({ url: requireControlUrl(config), poolSize: 2, applicationName: 'wherry rollout' });
  try {
    await work(database);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === UNDEFINED_TABLE)) throw error;
    throw new WherryError('not_found', 'the control database has no tables yet: no service has been started on it', { cause: error });
  } finally {
    await database.end();
  }
}

async function statusText(database: Database, rollout: Rollout, json: boolean): Promise<string> {
  const least = await leastAcknowledged(database, 'rollout');
  const followed =
    least === undefined
      ? 'no instance follows it'
      : least >= rollout.seq
        ? 'every live instance acts on it'
        : 'not every live instance acts on it yet';
  if (json) {
    const { phase, version, changedAt } = rollout;
    const percent = rollout.phase === 'led' ? { percent: rollout.percent } : {};
    return JSON.stringify({ phase, ...percent, version, changedAt, acknowledged: least === undefined ? null : least >= rollout.seq });
  }
  return columns([
    ['phase', words(rollout)],
    ['version', String(rollout.version)],
    ['since', time(rollout.changedAt)],
    ['instances', followed],
  ]);
}

function words(state: RolloutPhase): string {
  return state.phase === 'led' ? `led ${state.percent} %` : state.phase;
}

function time(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

function parsePercent(text: string): number {
  if (!/^\d{1,3}(\.\d{1,2})?$/.test(text) || Number(text) > 100) throw new InvalidArgumentError('Allowed is 0 to 100 in steps of 0.01.');
  return Number(text);
}

function parseVersion(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('Allowed is a whole number from 1.');
  return Number(text);
}
