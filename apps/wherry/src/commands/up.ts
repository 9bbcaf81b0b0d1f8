import { Lifecycle, type Logger } from '@wherry/core';
import { createLogger } from '@wherry/core/log';
import { Option, type Command } from 'commander';
import { checkRoles, type Role, type WherryConfig } from '../config/index.ts';
import type { Terminal } from '../terminal.ts';
import { loadedConfig } from './loaded-config.ts';
import { parseRoles } from './role-list.ts';

interface UpOptions {
  readonly roles: readonly Role[];
  readonly writers: 'instrumented' | 'captured' | 'none';
}

/** Adds `wherry up`: one or more roles in this process, until SIGTERM or SIGINT. */
export function addUpCommand(program: Command, terminal: Terminal): void {
  program
    .command('up')
    .description('run roles in this process, until SIGTERM or SIGINT')
    .requiredOption('--roles <list>', 'auth, gateway, migrator, with commas between', parseRoles)
    .addOption(
      new Option('--writers <kind>', 'for the migrator: who writes to the source')
        .choices(['instrumented', 'captured', 'none'])
        .default('instrumented'),
    )
    .action((options: UpOptions, command: Command) => runRoles(options, loadedConfig(command, terminal).config));
}

async function runRoles({ roles, writers }: UpOptions, config: WherryConfig): Promise<void> {
  checkRoles(config, roles);
  const { prepareDatabases } = await import('../roles/foundation.ts');
  await prepareDatabases(config);
  const log = createLogger({ level: config.log.level });
  const lifecycle = new Lifecycle({ log });
  const ports: (() => Record<string, number>)[] = [];
  for (const role of roles) {
    const service = await addRole(role, lifecycle, config, log.child({ role }), writers);
    ports.push(() => ({ [role]: service.port }));
  }
  lifecycle.endOnSignals();
  await lifecycle.run();
  log.info('ready', { ports: Object.assign({}, ...ports.map((port) => port())) as Record<string, number> });
  await lifecycle.ended;
}

/** Only the roles that are asked for are loaded. */
async function addRole(
  role: Role,
  lifecycle: Lifecycle,
  config: WherryConfig,
  log: Logger,
  writers: UpOptions['writers'],
): Promise<{ readonly port: number }> {
  switch (role) {
    case 'auth':
      return (await import('../roles/auth.ts')).addAuthRole(lifecycle, config, log);
    case 'gateway':
      return (await import('../roles/gateway.ts')).addGatewayRole(lifecycle, config, log);
    case 'migrator':
      return (await import('../roles/migrator.ts')).addMigratorRole(lifecycle, config, log, { writers });
  }
}
