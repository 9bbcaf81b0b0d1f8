import type { Database } from '@wherry/core/control';
import {
  changeRolloutSettings,
  moveRollout,
  pauseRollout,
  readObservedUse,
  readRollout,
  resumeRollout,
  rolloutHistory,
  settleRollout,
  type GuardrailLimits,
  type RetireProof,
  type Rollout,
  type RolloutAct,
  type RolloutCommand,
} from '@wherry/rollout';
import { InvalidArgumentError, type Command } from 'commander';
import type { Terminal } from '../terminal.ts';
import { actOf, withActOptions, type ActOptions } from './actor.ts';
import { withControl } from './control-database.ts';
import { loadedConfig } from './loaded-config.ts';
import { parsePercent, parsePositive, parseWhole } from './numbers.ts';
import { addCohortCommands } from './rollout-cohort.ts';
import { historyText, phaseText, rolloutStatus, statusJson, statusText } from './rollout-text.ts';

interface MoveOptions extends ActOptions {
  readonly expectVersion?: number;
}

const DAY_MS = 24 * 3600 * 1000;

/** Adds `wherry rollout …`, which talks to the control database directly: it works while every service is down. */
export function addRolloutCommands(program: Command, terminal: Terminal): void {
  const rollout = program.command('rollout').description('the change from session tokens to access tokens');
  rollout
    .command('status')
    .description('print the phase, what holds it up, the guardrails, and who does not act on it yet')
    .option('--json', 'print JSON')
    .action(async (options: { json?: true }, command: Command) => {
      await withControl(command, terminal, async (database) => {
        const status = await rolloutStatus(database, await readRollout(database));
        terminal.out(options.json === true ? statusJson(status) : statusText(status));
      });
    });
  addMoves(rollout, terminal);
  addHolds(rollout, terminal);
  addSettings(rollout, terminal);
  addCohortCommands(rollout, terminal);
  rollout
    .command('history')
    .description('print the last changes, newest first')
    .option('--limit <number>', 'how many', parsePositive, 20)
    .option('--json', 'print JSON')
    .action(async (options: { limit: number; json?: true }, command: Command) => {
      await withControl(command, terminal, async (database) => {
        const changes = await rolloutHistory(database, options.limit);
        if (options.json === true) terminal.out(JSON.stringify(changes));
        else if (changes.length === 0) terminal.out('nothing has been moved yet');
        else for (const change of changes) terminal.out(historyText(change));
      });
    });
}

function addMoves(rollout: Command, terminal: Terminal): void {
  const move = (name: string, description: string): Command =>
    withActOptions(rollout.command(name).description(description)).option(
      '--expect-version <number>',
      'refuse when the rollout is at another version',
      parsePositive,
    );
  const run = (by: RolloutCommand, options: MoveOptions, command: Command): Promise<void> =>
    change(command, terminal, options, (database, act, { version }) =>
      moveRollout(database, by, { expectedVersion: options.expectVersion ?? version, ...act }, retireProof(command, terminal)),
    );
  move('advance', 'go to the next phase: stateful, dual, led, preferred, drain, retired')
    .option('--percent <percent>', 'share of the users to lead, for the move into led (default: 1)', parsePercent)
    .action(({ percent, ...options }: MoveOptions & { percent?: number }, command: Command) =>
      run({ command: 'advance', ...(percent === undefined ? {} : { percent }) }, options, command),
    );
  move('set-percent', 'lead another share of the users')
    .argument('<percent>', '0 to 100 in steps of 0.01', parsePercent)
    .action((percent: number, options: MoveOptions, command: Command) => run({ command: 'set-percent', percent }, options, command));
  move('settle', 'put the narrower half of drain in force; the guard of a running service does it by itself').action(
    (options: MoveOptions, command: Command) =>
      change(command, terminal, options, (database, act, { version }) =>
        settleRollout(database, { expectedVersion: options.expectVersion ?? version, ...act }),
      ),
  );
  move('rollback', 'go back to the phase before, also while held; nobody is signed out').action((options: MoveOptions, command: Command) =>
    run({ command: 'rollback' }, options, command),
  );
}

/** Session tokens are out of use when the reports of all who could accept one say so for one whole session life. */
function retireProof(command: Command, terminal: Terminal): RetireProof {
  const { config } = loadedConfig(command, terminal);
  const { rollout, sessions } = config;
  return { evidence: readObservedUse, absoluteMs: (rollout.sessionLifeSeconds ?? sessions.absoluteSeconds) * 1000 };
}

function addHolds(rollout: Command, terminal: Terminal): void {
  withActOptions(rollout.command('pause').description('let nothing widen until resume; the way back stays open')).action(
    (options: ActOptions, command: Command) => change(command, terminal, options, pauseRollout),
  );
  withActOptions(rollout.command('resume').description('lift a pause, or a stop by the guard')).action(
    (options: ActOptions, command: Command) => change(command, terminal, options, resumeRollout),
  );
}

interface SettingsOptions extends ActOptions {
  readonly holdOut?: number;
  readonly quietDays?: number;
  readonly limit?: Partial<GuardrailLimits>;
}

function addSettings(rollout: Command, terminal: Terminal): void {
  withActOptions(
    rollout.command('settings').description('change what is compared, how patient the drain is, and the limits of the guardrails'),
  )
    .option('--hold-out <percent>', 'share of the users held out to compare with, 0 to 50', parsePercent)
    .option('--quiet-days <days>', 'days without a session token after which a client is refused its own', parseWhole)
    .option('--limit <name=value>', 'a limit of a guardrail; may be repeated', parseLimit, {})
    .action(({ holdOut, quietDays, limit, ...options }: SettingsOptions, command: Command) =>
      change(command, terminal, options, (database, act) =>
        changeRolloutSettings(
          database,
          {
            ...(holdOut === undefined ? {} : { holdOut }),
            ...(quietDays === undefined ? {} : { quietMs: quietDays * DAY_MS }),
            ...(limit === undefined || Object.keys(limit).length === 0 ? {} : { limits: limit }),
          },
          act,
        ),
      ),
    );
}

function parseLimit(text: string, before: Partial<GuardrailLimits>): Partial<GuardrailLimits> {
  const parts = /^([A-Za-z]+)=(\d+(?:\.\d+)?)$/.exec(text);
  if (parts === null) throw new InvalidArgumentError('Allowed is a name, an equals sign and a number.');
  return { ...before, [String(parts[1])]: Number(parts[2]) };
}

/** Runs one change and prints what became of it. */
async function change(
  command: Command,
  terminal: Terminal,
  options: ActOptions,
  act: (database: Database, act: RolloutAct, before: Rollout) => Promise<Rollout>,
): Promise<void> {
  await withControl(command, terminal, async (database) => {
    const before = await readRollout(database);
    const rollout = await act(database, actOf(options, terminal), before);
    terminal.out(`${phaseText(before)} -> ${phaseText(rollout)}`);
    terminal.out(statusText(await rolloutStatus(database, rollout)));
  });
}
