import { WherryError } from '@wherry/core';
import { openDatabase, type Database } from '@wherry/core/control';
import type { Command } from 'commander';
import { requireControlUrl } from '../config/index.ts';
import type { Terminal } from '../terminal.ts';
import { loadedConfig } from './loaded-config.ts';

const UNDEFINED_TABLE = '42P01';

/** Runs `work` on the control database that the configuration of `command` names. Errors: `config_invalid`, `not_found` where no tables are. */
export async function withControl(command: Command, terminal: Terminal, work: (control: Database) => Promise<void>): Promise<void> {
  const { config } = loadedConfig(command, terminal);
  const control = openDatabase({ url: requireControlUrl(config), poolSize: 2, applicationName: `wherry ${command.parent?.name() ?? ''}` });
  try {
    await work(control);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === UNDEFINED_TABLE)) throw error;
    throw new WherryError('not_found', 'the control database has no tables yet: no service has been started on it', { cause: error });
  } finally {
    await control.end();
  }
}
