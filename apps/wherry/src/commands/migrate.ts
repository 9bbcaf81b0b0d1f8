import { Lifecycle } from '@wherry/core';
import { openDatabase, type Database } from '@wherry/core/control';
import { createLogger } from '@wherry/core/log';
import { changeMigration, createMigration, planMigration, readMigration, type MigrationChange } from '@wherry/migration';
import { migrationStatus } from '@wherry/migrator';
import { abandonDeadLetters, listDeadLetters } from '@wherry/sessions';
import { Option, type Command } from 'commander';
import { checkRoles, requireControlUrl } from '../config/index.ts';
import { ProgressDisplay, screenOf } from '../progress/progress-display.ts';
import { prepareDatabases } from '../roles/foundation.ts';
import { addMigrationParts, addMigratorRole } from '../roles/migrator.ts';
import { sourceDecoder } from '../roles/source.ts';
import type { Terminal } from '../terminal.ts';
import { loadedConfig } from './loaded-config.ts';
import { actorOf } from './actor.ts';
import { planText, statusText } from './migrate-text.ts';
import { parseId, parseWhole } from './numbers.ts';

interface ActOptions {
  readonly reason?: string;
  readonly actor?: string;
}

/** Adds `wherry migrate …`. What changes the course talks to the control database directly; the migrator follows within a second. */
export function addMigrateCommands(program: Command, terminal: Terminal): void {
  const migrate = program.command('migrate').description('the move of sessions from their store into the shards');
  migrate
    .command('plan')
    .description('sample the source and say what a migration would meet; changes nothing')
    .option('--json', 'print JSON')
    .action((options: { json?: true }, command: Command) => runPlan(command, terminal, options.json === true));
  migrate
    .command('run')
    .description('drive the migration to its goal, with progress; may be stopped and started at any moment')
    .addOption(new Option('--writers <kind>', 'who writes to the source meanwhile').choices(['instrumented', 'none']).makeOptionMandatory())
    .action((options: { writers: 'instrumented' | 'none' }, command: Command) => runMigration(command, terminal, options.writers));
  migrate
    .command('status')
    .description('print where it stands')
    .option('--json', 'print JSON')
    .action((options: { json?: true }, command: Command) =>
      withControl(command, terminal, async (control) => {
        const status = await migrationStatus(control);
        terminal.out(options.json === true ? JSON.stringify(status) : statusText(status));
      }),
    );
  addSteering(migrate, terminal);
  addDeadLetterCommands(migrate, terminal);
}

function addSteering(migrate: Command, terminal: Terminal): void {
  const act = (name: string, description: string): Command =>
    migrate
      .command(name)
      .description(description)
      .option('--reason <text>', 'why, for the audit log')
      .option('--actor <name>', 'who, for the audit log (default: the name of the user)');
  const change = (wish: MigrationChange, options: ActOptions, command: Command): Promise<void> =>
    withControl(command, terminal, async (control) => {
      await changeMigration(control, wish, {
        actor: actorOf(options, terminal),
        ...(options.reason === undefined ? {} : { reason: options.reason }),
      });
      const { step, goal, goalPercent, paused, rate } = await readMigration(control);
      terminal.out(
        `${step}, goal ${goal} ${goalPercent} %, ${paused ? 'paused' : 'running'}, rate ${rate === 0 ? 'unlimited' : `${rate}/s`}`,
      );
    });
  act('pause', 'hold at the next safe place').action((options: ActOptions, command: Command) => change({ paused: true }, options, command));
  act('resume', 'go on').action((options: ActOptions, command: Command) => change({ paused: false }, options, command));
  act('rate', 'sessions a second at most')
    .argument('<rate>', 'a whole number; 0: as fast as the stores allow', parseWhole)
    .action((rate: number, options: ActOptions, command: Command) => change({ rate }, options, command));
  act('switch', 'make the target the primary side for a share of the slots')
    .argument('<percent>', '0 to 100', parseWhole)
    .action((goalPercent: number, options: ActOptions, command: Command) =>
      change({ goal: 'target', goalPercent, paused: false }, options, command),
    );
  act('rollback', 'make the source the primary side again everywhere; nobody is signed out').action(
    (options: ActOptions, command: Command) => change({ goal: 'source', goalPercent: 100, paused: false }, options, command),
  );
}

function addDeadLetterCommands(migrate: Command, terminal: Terminal): void {
  const letters = migrate.command('dead-letters').description('sessions that cannot be carried over without a decision');
  letters
    .command('list')
    .description('print them')
    .option('--limit <number>', 'how many', parseWhole, 50)
    .option('--json', 'print JSON')
    .action((options: { limit: number; json?: true }, command: Command) =>
      withControl(command, terminal, async (control) => {
        const found = await listDeadLetters(control, options.limit);
        if (options.json === true) terminal.out(JSON.stringify(found));
        else if (found.length === 0) terminal.out('there are none');
        else
          for (const { id, reason, detail, decision } of found)
            terminal.out(`${id}  ${reason}: ${detail}${decision === null ? '' : `  (${decision})`}`);
      }),
    );
  letters
    .command('abandon')
    .description('leave undecided ones behind in the source: their users will have to sign in again')
    .option('--id <id>', 'only this one', parseId)
    .requiredOption('--reason <text>', 'why, for the audit log')
    .option('--actor <name>', 'who, for the audit log (default: the name of the user)')
    .action((options: ActOptions & { id?: bigint; reason: string }, command: Command) =>
      withControl(command, terminal, async (control) => {
        terminal.out(`${await abandonDeadLetters(control, actorOf(options, terminal), options.reason, options.id)} abandoned`);
      }),
    );
}

async function runMigration(command: Command, terminal: Terminal, writers: 'instrumented' | 'none'): Promise<void> {
  const { config } = loadedConfig(command, terminal);
  checkRoles(config, ['migrator']);
  await prepareDatabases(config);
  const display = new ProgressDisplay(screenOf(process.stderr));
  const log = createLogger({ level: 'warn', fields: { role: 'migrator' } });
  const lifecycle = new Lifecycle({ log });
  const service = await addMigratorRole(lifecycle, config, log, { writers, progress: display });
  lifecycle.endOnSignals();
  await lifecycle.run();
  try {
    await Promise.race([service.migration.migrator.atGoal(), lifecycle.ended]);
    display.finish();
    terminal.out(statusText(await migrationStatus(service.migration.context.control)));
  } finally {
    await lifecycle.end();
  }
}

async function runPlan(command: Command, terminal: Terminal, json: boolean): Promise<void> {
  const { config } = loadedConfig(command, terminal);
  checkRoles(config, ['migrator']);
  await prepareDatabases(config);
  const log = createLogger({ level: 'warn', fields: { role: 'plan' } });
  const lifecycle = new Lifecycle({ log });
  const parts = await addMigrationParts(lifecycle, config, log);
  await lifecycle.run();
  try {
    const { context } = await createMigration({
      ...parts,
      decode: sourceDecoder(config),
      writers: 'none',
      signal: new AbortController().signal,
    });
    const plan = await planMigration(context);
    terminal.out(json ? JSON.stringify(plan) : planText(plan));
  } finally {
    await lifecycle.end();
  }
}

async function withControl(command: Command, terminal: Terminal, work: (control: Database) => Promise<void>): Promise<void> {
  const { config } = loadedConfig(command, terminal);
  const control = openDatabase({ url: requireControlUrl(config), poolSize: 2, applicationName: 'wherry migrate' });
  try {
    await work(control);
  } finally {
    await control.end();
  }
}
