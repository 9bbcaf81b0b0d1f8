import { Option, type Command } from 'commander';
import type { MigrationChange } from '@wherry/migration';
import type { Terminal } from '../terminal.ts';
import { actOf, withActOptions, type ActOptions } from './actor.ts';
import { withControl } from './control-database.ts';
import { addExportCommand } from './export.ts';
import { parseId, parseWhole } from './numbers.ts';
import type { RetireOptions } from './migrate-retire.ts';
import { addPlanCommand } from './plan.ts';
import { addRepairCommand } from './repair.ts';

// What a command needs is loaded when it runs: other commands work without the stores and services of a migration.

/** Adds `wherry migrate …`. What changes the course talks to the control database directly; the migrator follows within a second. */
export function addMigrateCommands(program: Command, terminal: Terminal): void {
  const migrate = program.command('migrate').description('the move of sessions from their store into the shards');
  addPlanCommand(migrate, terminal);
  addExportCommand(migrate, terminal);
  addRepairCommand(migrate, terminal);
  migrate
    .command('run')
    .description('drive the migration to its goal, with progress; may be stopped and started at any moment')
    .addOption(
      new Option('--writers <kind>', 'who writes to the source meanwhile')
        .choices(['instrumented', 'captured', 'none'])
        .makeOptionMandatory(),
    )
    .action(async (options: { writers: 'instrumented' | 'captured' | 'none' }, command: Command) => {
      await (await import('./migrate-run.ts')).runMigration(command, terminal, options.writers);
    });
  migrate
    .command('status')
    .description('print where it stands')
    .option('--json', 'print JSON')
    .action((options: { json?: true }, command: Command) =>
      withControl(command, terminal, async (control) => {
        const { migrationStatus } = await import('@wherry/migrator');
        const { statusText } = await import('./migrate-text.ts');
        const status = await migrationStatus(control);
        terminal.out(options.json === true ? JSON.stringify(status) : statusText(status));
      }),
    );
  addSteering(migrate, terminal);
  addRetirement(migrate, terminal);
  addDeadLetterCommands(migrate, terminal);
}

const LEFT = 'Sessions that were copied stay at the target, where nobody reads them; docs/4-migration.md tells how to remove them.';
const ABORTED = `aborted: every slot is at the source. ${LEFT}`;
const ABORTING = `asked for: a running migrator brings every slot back to the source; "wherry migrate status" says when it is done. ${LEFT}`;

function addSteering(migrate: Command, terminal: Terminal): void {
  const act = (name: string, description: string): Command => withActOptions(migrate.command(name).description(description));
  const change = (wish: MigrationChange, options: ActOptions, command: Command): Promise<void> =>
    withControl(command, terminal, async (control) => {
      const { changeMigration } = await import('@wherry/migration');
      const { step, goal, goalPercent, paused, rate, batch } = await changeMigration(control, wish, actOf(options, terminal));
      const pace = `rate ${rate === 0 ? 'unlimited' : `${rate}/s`}${batch === 0 ? '' : `, batch ${batch}`}`;
      terminal.out(`${step}, goal ${goal} ${goalPercent} %, ${paused ? 'paused' : 'running'}, ${pace}`);
    });
  act('pause', 'hold at the next safe place').action((options: ActOptions, command: Command) => change({ paused: true }, options, command));
  act('resume', 'go on').action((options: ActOptions, command: Command) => change({ paused: false }, options, command));
  act('rate', 'sessions a second at most, all workers together')
    .argument('<rate>', 'a whole number; 0: as fast as the stores allow', parseWhole)
    .action((rate: number, options: ActOptions, command: Command) => change({ rate }, options, command));
  act('batch', 'sessions read and written at a time')
    .argument('<sessions>', '1 to 5000; 0: as each process is configured', parseWhole)
    .action((batch: number, options: ActOptions, command: Command) => change({ batch }, options, command));
  act('abort', 'give the migration up: the source is made the primary side again everywhere, and all progress is forgotten').action(
    (options: ActOptions, command: Command) =>
      withControl(command, terminal, async (control) => {
        const { askAbort, completeAbort } = await import('@wherry/migration');
        await askAbort(control, actOf(options, terminal));
        // Where no process leads and every slot is at the source, nothing is left to be done by one.
        terminal.out((await completeAbort(control, null)) ? ABORTED : ABORTING);
      }),
  );
  act('verify', 'compare the two sides once more and mend what differs, also of a settled migration').action(
    (options: ActOptions, command: Command) =>
      withControl(command, terminal, async (control) => {
        const { askVerification } = await import('@wherry/migration');
        const { step, paused } = await askVerification(control, actOf(options, terminal));
        terminal.out(
          `${step}, asked for; ${paused ? 'the migration is paused: it begins after resume' : 'a running migrator begins it now'}`,
        );
      }),
  );
  act('switch', 'make the target the primary side for a share of the slots')
    .argument('<percent>', '0 to 100', parseWhole)
    .action((goalPercent: number, options: ActOptions, command: Command) =>
      change({ goal: 'target', goalPercent, paused: false }, options, command),
    );
  act('rollback', 'make the source the primary side again everywhere; nobody is signed out').action(
    (options: ActOptions, command: Command) => change({ goal: 'source', goalPercent: 100, paused: false }, options, command),
  );
}

function addRetirement(migrate: Command, terminal: Terminal): void {
  withActOptions(
    migrate.command('retire').description('take the source out of use for good, see that nobody uses it, archive what is left'),
  )
    .requiredOption('--archive <file>', 'where what is left is written, sealed under the master key')
    .option('--watch <seconds>', 'how long nobody may have used it', parseWhole, 30)
    .option('--unobserved', 'go on where the store does not say when its sessions were used')
    .action(async (options: RetireOptions, command: Command) => {
      await (await import('./migrate-retire.ts')).runRetire(command, terminal, options);
    });
  withActOptions(migrate.command('revive').description('take a retired source into use again; a verification brings it up to date')).action(
    (options: ActOptions, command: Command) =>
      withControl(command, terminal, async (control) => {
        const { reviveSource } = await import('@wherry/migration');
        await reviveSource(control, actOf(options, terminal));
        terminal.out('the source is in use again; the way back to it opens when a verification has ended');
      }),
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
        const { listDeadLetters } = await import('@wherry/sessions');
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
        const { abandonDeadLetters } = await import('@wherry/sessions');
        terminal.out(`${await abandonDeadLetters(control, actOf(options, terminal).actor, options.reason, options.id)} abandoned`);
      }),
    );
}
