import type { Command } from 'commander';
import { CONFIG_SCHEMA, ROLES, SETTINGS, checkRoles, type LoadedConfig, type Role } from '../config/index.ts';
import { SECRET_VARIABLES } from '../config/environment.ts';
import { columns, type Terminal } from '../terminal.ts';
import { addAppKeyCommand } from './app-key.ts';
import { loadedConfig } from './loaded-config.ts';
import { parseRoles } from './role-list.ts';

/** Adds `wherry config …`. */
export function addConfigCommands(program: Command, terminal: Terminal): void {
  const config = program.command('config').description('look at the configuration');
  config
    .command('check')
    .description('check the configuration, and print what is not the default')
    .option('--roles <roles>', `check also what these roles need: ${ROLES.join(',')}`, parseRoles)
    .action((options: { roles?: readonly Role[] }, command: Command) => {
      const loaded = loadedConfig(command, terminal);
      checkRoles(loaded.config, options.roles ?? []);
      const lines = [...changedSettings(loaded), ...setSecrets(terminal)];
      if (lines.length > 0) terminal.out(columns(lines));
      for (const name of loaded.ignored) terminal.err(`${name} is no setting and has no effect`);
      terminal.out('the configuration is valid');
    });
  addAppKeyCommand(config, terminal);
  config
    .command('schema')
    .description('print the JSON Schema of wherry.config.json')
    .action(() => terminal.out(JSON.stringify(CONFIG_SCHEMA, null, 2)));
}

function changedSettings({ config, originOf }: LoadedConfig): readonly (readonly [string, string])[] {
  return SETTINGS.flatMap(({ path, key }) => {
    const origin = originOf(key);
    return origin === undefined ? [] : [[key, `${JSON.stringify(at(config, path))} (${origin})`] as const];
  });
}

function setSecrets({ environment }: Terminal): readonly (readonly [string, string])[] {
  return Object.entries(SECRET_VARIABLES).flatMap(([key, variable]) => {
    const origin = [variable, `${variable}_FILE`].find((name) => environment[name] !== undefined);
    return origin === undefined ? [] : [[key, `[secret] (${origin})`] as const];
  });
}

function at(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((inner, name) => (inner as Record<string, unknown>)[name], value);
}
