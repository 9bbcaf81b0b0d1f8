import type { SchemaPart } from '@wherry/core/control';

export { analyseSource, type AnalysisOptions, type SourceAnalysis } from './analysis/analyse-source.ts';
export type { HistogramBin } from './analysis/histogram.ts';
export type { ApplyStep } from './capture/apply-changes.ts';
export { readCapture, type CaptureView } from './capture/capture-row.ts';
export type { MigrationContext } from './context.ts';
export { copySessions } from './copy/copy.ts';
export type { CopyCounts } from './copy/counts.ts';
export { createMigration, type Migration, type MigrationOptions } from './create.ts';
export { Journal, type Checkpoint, type JournalOptions, type Verification, type VerificationResult } from './journal/journal.ts';
export { askAbort, completeAbort } from './journal/abort.ts';
export { JOURNAL_POINTS, type JournalPoint } from './journal/points.ts';
export {
  MIGRATION_STEPS,
  askVerification,
  changeMigration,
  readMigration,
  type MigrationChange,
  type MigrationState,
  type MigrationStep,
} from './journal/state.ts';
export { Migrator, type MigratorOptions } from './migrator.ts';
export { viewParts, type PartView, type PassName } from './journal/work-parts.ts';
export { GoalChanged, Pace, type PaceOptions, type PaceReport } from './pace.ts';
export { columnValue } from './plan/column-value.ts';
export { mappingFile, type MappingFile } from './plan/mapping-file.ts';
export { planMigration, type MigrationPlan } from './plan/plan.ts';
export { reportHtml } from './plan/report-html.ts';
export { reportText } from './plan/report-text.ts';
export { proposeSchema, type SchemaProposal } from './plan/schema-proposal.ts';
export { schemaSql, type SqlDialect } from './plan/schema-sql.ts';
export { previewRepairs, type RepairAction, type RepairPreview } from './repair/preview-repairs.ts';
export { workOff, type WorkedOff } from './repair/work-off.ts';
export { ProgressMeter, silentProgress, type Progress, type ProgressListener } from './progress.ts';
export { archiveSource, openArchive, type Archive, type ArchiveOptions, type ArchivedSession } from './retire/archive.ts';
export { requireSourceInUse, retireSource, reviveSource, sourceLetGo, type RetireAct } from './retire/retire.ts';
export { closedGates, type ClosedGate } from './switch/gates.ts';
export { lastDifferences, newestVerification, type VerificationView } from './verify/differences.ts';
export type { LatencyLimits, StoreLatencies } from './throttle.ts';
export { verifySessions, type VerifyCounts } from './verify/verify.ts';

/** The tables of this package in the control database. */
export const migrationSchema: SchemaPart = { part: 'migration', folder: new URL('../sql/control/', import.meta.url) };
