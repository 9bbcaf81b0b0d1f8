import { leastAcknowledged, type Database } from '@wherry/core/control';
import { moveRollout, readRollout, rolloutHistory, type Rollout, type RolloutCommand, type RolloutPhase } from '@wherry/rollout';
import type { Command } from 'commander';
import { columns, type Terminal } from '../terminal.ts';
import { actOf, withActOptions, type ActOptions } from './actor.ts';
import { withControl } from './control-database.ts';
import { parsePercent, parsePositive } from './numbers.ts';

interface MoveOptions extends ActOptions {
  readonly expectVersion?: number;
}

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
    withActOptions(rollout.command(name).description(description)).option(
      '--expect-version <number>',
      'refuse when the rollout is at another version',
      parsePositive,
    );
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
    .option('--limit <number>', 'how many', parsePositive, 20)
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
  await withControl(command, terminal, async (database) => {
    const before = await readRollout(database);
    const rollout = await moveRollout(database, by, {
      expectedVersion: options.expectVersion ?? before.version,
      ...actOf(options, terminal),
    });
    terminal.out(`${words(before)} -> ${words(rollout)}`);
    terminal.out(await statusText(database, rollout, false));
  });
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
