export type { WherryConfig } from './config.ts';
export { loadConfig, type ConfigSources, type LoadedConfig } from './load.ts';
export {
  requireClients,
  requireControlUrl,
  requireEncryption,
  requireIdentity,
  requireMasterKey,
  requireShards,
  requireSource,
  requireSourceCookie,
  requireSourceFormat,
} from './required.ts';
export { ROLES, checkRoles, type Role } from './roles.ts';
export { CONFIG_SCHEMA, type Settings } from './schema.ts';
export { parseSourceUrl } from './source-url.ts';
export { SETTINGS } from './variables.ts';
