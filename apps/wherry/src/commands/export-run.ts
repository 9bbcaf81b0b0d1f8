import { Lifecycle } from '@wherry/core';
import { createLogger } from '@wherry/core/log';
import type { Command } from 'commander';
import { checkRoles } from '../config/index.ts';
import { exportSource, exportTarget } from '../export/export-sessions.ts';
import { writeExport } from '../export/write-export.ts';
import { addMigrationParts } from '../roles/migrator.ts';
import { sourceDecoder } from '../roles/source.ts';
import type { Terminal } from '../terminal.ts';
import type { ExportOptions } from './export.ts';
import { loadedConfig } from './loaded-config.ts';

/** Writes one side of the sessions to a file. Reads only. */
export async function runExport(command: Command, terminal: Terminal, { side, out }: ExportOptions): Promise<void> {
  const { config } = loadedConfig(command, terminal);
  checkRoles(config, ['migrator']);
  const log = createLogger({ level: 'warn', fields: { role: 'export' } });
  const lifecycle = new Lifecycle({ log });
  const { runtime, source } = await addMigrationParts(lifecycle, config, log);
  await lifecycle.run();
  try {
    const parts = { runtime, source, decode: sourceDecoder(config) };
    const { sessions } = await writeExport(out, side, side === 'source' ? exportSource(parts) : exportTarget(parts), runtime.now);
    terminal.out(`${sessions} sessions of the ${side}: ${out}`);
  } finally {
    await lifecycle.end();
  }
}
