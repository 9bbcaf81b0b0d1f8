import { cohortList, listInCohort, unlistFromCohort, type CohortEntry } from '@wherry/rollout';
import { Argument, type Command } from 'commander';
import type { Terminal } from '../terminal.ts';
import { actOf, withActOptions, type ActOptions } from './actor.ts';
import { withControl } from './control-database.ts';

type Kind = 'user' | 'client';

/** Adds `wherry rollout cohort …`: users and clients who are led, or spared, whatever the share is. */
export function addCohortCommands(rollout: Command, terminal: Terminal): void {
  const cohort = rollout.command('cohort').description('users and clients who are led, or spared, whatever the share is');
  const member = (name: string, description: string): Command =>
    withActOptions(
      cohort
        .command(name)
        .description(description)
        .addArgument(new Argument('<kind>', 'what it is').choices(['user', 'client']))
        .argument('<id>', 'the id of the user or client'),
    );
  const put = (name: CohortEntry, description: string): void => {
    member(name, description).action((kind: Kind, value: string, options: ActOptions, command: Command) =>
      withControl(command, terminal, async (database) => {
        const changed = await listInCohort(database, { kind, value, arm: name }, actOf(options, terminal));
        terminal.out(changed ? `${kind} ${value} is ${name}d` : `${kind} ${value} is ${name}d already`);
      }),
    );
  };
  put('include', 'lead it');
  put('exclude', 'spare it while users are led by percentage');
  member('remove', 'let the share decide again').action((kind: Kind, value: string, options: ActOptions, command: Command) =>
    withControl(command, terminal, async (database) => {
      const changed = await unlistFromCohort(database, { kind, value }, actOf(options, terminal));
      terminal.out(changed ? `${kind} ${value} is in no list any more` : `${kind} ${value} is in no list`);
    }),
  );
  cohort
    .command('list')
    .description('print them')
    .option('--json', 'print JSON')
    .action((options: { json?: true }, command: Command) =>
      withControl(command, terminal, async (database) => {
        const listed = await cohortList(database);
        if (options.json === true) terminal.out(JSON.stringify(listed));
        else if (listed.length === 0) terminal.out('there are none');
        else for (const { kind, value, arm } of listed) terminal.out(`${arm}  ${kind}  ${value}`);
      }),
    );
}
