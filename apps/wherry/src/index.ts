export {
  CONFIG_SCHEMA,
  loadConfig,
  requireMasterKey,
  type ConfigSources,
  type LoadedConfig,
  type Settings,
  type WherryConfig,
} from './config/index.ts';
export { createProgram, runProgram } from './program.ts';
export { prepareDatabases } from './roles/foundation.ts';
export { addGatewayRole } from './roles/gateway.ts';
export { addMigratorRole, type MigratorRoleOptions } from './roles/migrator.ts';
export { openSource, sourceDecoder } from './roles/source.ts';
export type { Terminal } from './terminal.ts';
