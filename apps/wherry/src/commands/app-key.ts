import { writeFileSync } from 'node:fs';
import { WherryError } from '@wherry/core';
import type { Command } from 'commander';
import { requireMasterKey } from '../config/index.ts';
import { APPLICATION_VARIABLE } from '../config/environment.ts';
import type { Terminal } from '../terminal.ts';
import { loadedConfig } from './loaded-config.ts';

interface AppKeyOptions {
  readonly show?: true;
  readonly out?: string;
}

/** Adds `wherry config app-key`: the key that a wrapped application gets in place of the master key. */
export function addAppKeyCommand(config: Command, terminal: Terminal): void {
  config
    .command('app-key')
    .description('the key for wrapped applications: it seals session ids and opens no signing key')
    .option('--show', 'print it; without this and --out only its fingerprint is printed')
    .option('--out <file>', 'write it to a new file of mode 0600')
    .action(async ({ show, out }: AppKeyOptions, command: Command) => {
      const { sourceRefKeyFingerprint, sourceRefKeyOf, sourceRefKeyText } = await import('@wherry/sessions');
      const key = sourceRefKeyOf(requireMasterKey(loadedConfig(command, terminal).config));
      if (out !== undefined) writeNew(out, `${sourceRefKeyText(key)}\n`);
      if (show === true) terminal.out(sourceRefKeyText(key));
      else
        terminal.out(
          `${APPLICATION_VARIABLE}, fingerprint ${sourceRefKeyFingerprint(key)}${out === undefined ? '' : `, written to ${out}`}`,
        );
      if (show !== true && out === undefined) terminal.err('it is a secret: --out FILE writes it, --show prints it');
    });
}

/** A file that is there already may be read by others, or be in use. */
function writeNew(file: string, content: string): void {
  try {
    writeFileSync(file, content, { mode: 0o600, flag: 'wx' });
  } catch (cause) {
    const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unwritable';
    throw new WherryError('bad_request', `the file for the key cannot be made (${reason}); allowed is a path where nothing is yet`, {
      cause,
    });
  }
}
