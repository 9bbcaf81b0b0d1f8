export { MigratorService, type MigratorServiceOptions } from './migrator-service.ts';
export { migrationStatus, type MigrationStatus } from './status.ts';
export type { PartStatus, ShardStatus, WorkStatus } from './work-status.ts';
