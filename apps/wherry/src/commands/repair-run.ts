import { Lifecycle } from '@wherry/core';
import { createLogger } from '@wherry/core/log';
import { createMigration, previewRepairs, workOff, type RepairPreview } from '@wherry/migration';
import type { Command } from 'commander';
import { checkRoles } from '../config/index.ts';
import { addMigrationParts } from '../roles/migrator.ts';
import { sourceDecoder } from '../roles/source.ts';
import type { Terminal } from '../terminal.ts';
import { loadedConfig } from './loaded-config.ts';
import type { RepairOptions } from './repair.ts';

/** Works off what waits for a repair, or says what that would do. A running migrator may do the same meanwhile: repairs are harmless twice. */
export async function runRepair(command: Command, terminal: Terminal, options: RepairOptions): Promise<void> {
  const { config } = loadedConfig(command, terminal);
  checkRoles(config, ['migrator']);
  const log = createLogger({ level: 'warn', fields: { role: 'repair' } });
  const lifecycle = new Lifecycle({ log });
  const parts = await addMigrationParts(lifecycle, config, log);
  await lifecycle.run();
  try {
    const { signal } = new AbortController();
    const { context } = await createMigration({
      runtime: parts.runtime,
      source: parts.source,
      decode: sourceDecoder(config),
      writers: 'none',
      signal,
      log,
    });
    if (options.dryRun === true) {
      const previews = await previewRepairs(context, options.limit);
      terminal.out(options.json === true ? JSON.stringify(previews) : previewText(previews));
      return;
    }
    const worked = await workOff(context);
    terminal.out(options.json === true ? JSON.stringify(worked) : `${worked.repaired} repaired, ${worked.left} left`);
  } finally {
    await lifecycle.end();
  }
}

const ACTIONS: Readonly<Record<RepairPreview['action'], string>> = {
  nothing: 'nothing to do',
  write_target: "the source's state would be written to the target",
  write_source: "the target's state would be written to the source",
  end_both: 'it would be ended on both sides',
  end_target: 'it would be ended at the target',
  end_source: 'it would be ended at the source',
  dead_letter: 'it would become a dead letter',
};

function previewText(previews: readonly RepairPreview[]): string {
  if (previews.length === 0) return 'nothing waits for a repair';
  return previews.map(({ id, cause, action, detail }) => `${id}  ${cause}: ${ACTIONS[action]} (${detail})`).join('\n');
}
