export { MigratorService, type MigratorServiceOptions } from './migrator-service.ts';
export { migrationStatus, type MigrationStatus } from './status.ts';
