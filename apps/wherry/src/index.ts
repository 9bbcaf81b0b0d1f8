export { CONFIG_SCHEMA, loadConfig, type ConfigSources, type LoadedConfig, type Settings, type WherryConfig } from './config/index.ts';
export { createProgram, runProgram } from './program.ts';
export type { Terminal } from './terminal.ts';
