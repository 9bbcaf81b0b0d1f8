import { WherryError } from '@wherry/core';
import { audit, type Database } from '@wherry/core/control';
import { readMigration, type MigrationState } from './state.ts';

/**
 * Asks for the end of the migration. A migrator that runs brings the primary side of every slot back to the source
 * first, as a rollback does, so that nothing is left half; then {@link completeAbort} forgets all progress. Errors:
 * `migration_step_invalid` where it is aborted already.
 */
export async function askAbort(database: Database, by: { readonly actor: string; readonly reason?: string }): Promise<MigrationState> {
  await readMigration(database);
  const { rowCount } = await database.query(
    `UPDATE migration SET aborting = true, goal = 'source', goal_percent = 100, paused = false, version = version + 1, updated_at = wherry_now()
     WHERE aborted_at IS NULL`,
  );
  if (rowCount !== 1) throw new WherryError('migration_step_invalid', 'the migration is aborted already');
  await audit(database, { action: 'migration.abort', ...by });
  return readMigration(database);
}

/** No slot has its primary side at the target, or is just changing it. Only whoever leads begins to change one. */
const AT_REST = `NOT EXISTS (SELECT FROM slot_map WHERE primary_side = 'target' OR state = 'closing')`;

const COMPLETE = `
  WITH ended AS (
    UPDATE migration SET aborting = false, aborted_at = wherry_now(), paused = true, step = 'plan', verified_since = NULL, verify_asked_at = NULL,
      version = version + 1, updated_at = wherry_now()
    WHERE aborting AND ${AT_REST} AND (leader = $1 OR leader IS NULL
      OR NOT EXISTS (SELECT FROM instance i WHERE i.id = migration.leader AND i.state = 'live' AND i.lease_until > wherry_now()))
    RETURNING id),
  parts AS (DELETE FROM migration_pass WHERE EXISTS (SELECT FROM ended)),
  open AS (DELETE FROM migration_verification WHERE ended_at IS NULL AND EXISTS (SELECT FROM ended))
  SELECT FROM ended`;

/**
 * Ends an aborted migration where every slot is at the source: its progress is forgotten and it rests, paused, at its
 * first step. False: slots are still at the target, or another process leads. `leader`: the instance that leads, or null
 * for a caller that is none. Rows that were copied stay: nobody reads them while the source is primary, and a migration
 * that is taken up again finds them as new or older. Idempotent.
 */
export async function completeAbort(database: Database, leader: string | null): Promise<boolean> {
  const { rowCount } = await database.query(COMPLETE, [leader]);
  return rowCount === 1;
}
