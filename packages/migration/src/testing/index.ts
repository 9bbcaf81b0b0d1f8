export { TEST_IDENTITY, Workbench, type MigratorSetup, type RunningMigrator, type WorkbenchAddress } from './workbench.ts';
