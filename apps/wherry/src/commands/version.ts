import type { Command } from 'commander';
import { readFileSync } from 'node:fs';
import type { Terminal } from '../terminal.ts';

/** Adds `wherry version`. */
export function addVersionCommand(program: Command, terminal: Terminal): void {
  program
    .command('version')
    .description('print the versions of wherry and Node')
    .action(() => {
      // The package's own file lies two folders up, from the source as well as from the build.
      const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };
      terminal.out(`wherry ${version}, node ${process.versions.node}`);
    });
}
