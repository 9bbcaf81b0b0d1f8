import type { Command } from 'commander';
import { loadConfig, type LoadedConfig } from '../config/index.ts';
import type { Terminal } from '../terminal.ts';

/** The configuration that `command` runs under, from `--config` and the environment. Errors: `config_invalid`. */
export function loadedConfig(command: Command, terminal: Terminal): LoadedConfig {
  const { config: file } = command.optsWithGlobals<{ config?: string }>();
  return loadConfig({ environment: terminal.environment, ...(file === undefined ? {} : { file }) });
}
