import { WherryError } from '@wherry/core';
import { audit, controlError, nextSeq, transaction, type Database, type Queryable, type Transaction } from '@wherry/core/control';
import { checkAct, lockRollout, type RolloutAct } from './change.ts';
import type { CohortEntry } from './cohort.ts';
import { ROLLOUT_TOPIC, plainPhase } from './rollout.ts';

/** A user or client in a list. */
export interface CohortMember {
  readonly kind: 'user' | 'client';
  /** The user's or the client's id. */
  readonly value: string;
}

/** A user or client, and what the list says of it. */
export interface CohortListEntry extends CohortMember {
  readonly arm: CohortEntry;
}

/** Every instance holds the lists in memory. */
const MOST_ENTRIES = 10_000;
const LONGEST_VALUE = 256;

/**
 * Puts a user or client into a list: `include` is led whatever the share is, `exclude` is spared while users are led by
 * percentage. What was said of it before is replaced. Answers whether that changed anything. Errors: `bad_request` for a value that no id
 * has, or when the lists are full; `control_unavailable`.
 */
export async function listInCohort(database: Database, { kind, value, arm }: CohortListEntry, act: RolloutAct): Promise<boolean> {
  if (value === '' || value.length > LONGEST_VALUE || value.includes('\0') || !value.isWellFormed())
    throw new WherryError('bad_request', `the id of a ${kind} has 1 to ${LONGEST_VALUE} characters`);
  return changeList(database, act, { kind, value, arm }, async (tx) => {
    const { rowCount } = await tx.query(
      `INSERT INTO rollout_list AS l (kind, value, arm) SELECT $1, $2, $3
       WHERE EXISTS (SELECT FROM rollout_list WHERE kind = $1 AND value = $2) OR (SELECT count(*) FROM rollout_list) < $4
       ON CONFLICT (kind, value) DO UPDATE SET arm = excluded.arm WHERE l.arm <> excluded.arm`,
      [kind, value, arm, MOST_ENTRIES],
    );
    if (rowCount === 1) return true;
    const { rows } = await tx.query('SELECT FROM rollout_list WHERE kind = $1 AND value = $2', [kind, value]);
    if (rows.length === 0)
      throw new WherryError('bad_request', `the lists hold ${MOST_ENTRIES} entries at most; lead a percentage instead`);
    return false;
  });
}

/** Takes a user or client out of its list. Answers whether it was in one. Errors: `control_unavailable`. */
export async function unlistFromCohort(database: Database, { kind, value }: CohortMember, act: RolloutAct): Promise<boolean> {
  return changeList(database, act, { kind, value, arm: null }, async (tx) => {
    const { rowCount } = await tx.query('DELETE FROM rollout_list WHERE kind = $1 AND value = $2', [kind, value]);
    return rowCount === 1;
  });
}

/** The lists, by kind and id. Errors: `control_unavailable`. */
export async function cohortList(database: Queryable): Promise<readonly CohortListEntry[]> {
  try {
    const { rows } = await database.query<CohortListEntry & Record<string, unknown>>(
      'SELECT kind, value, arm FROM rollout_list ORDER BY kind, value',
    );
    return rows.map(({ kind, value, arm }) => ({ kind, value, arm }));
  } catch (error) {
    throw controlError(error);
  }
}

/** The lists have no version of their own: entries are single facts, and who follows the rollout follows them by its number. */
async function changeList(
  database: Database,
  { actor, reason }: RolloutAct,
  entry: CohortMember & { readonly arm: CohortEntry | null },
  change: (tx: Transaction) => Promise<boolean>,
): Promise<boolean> {
  checkAct({ actor, ...(reason === undefined ? {} : { reason }) });
  try {
    return await transaction(database, async (tx) => {
      // The lock that every change of the rollout takes first.
      const current = await lockRollout(tx);
      if (!(await change(tx))) return false;
      const phase = plainPhase(current);
      const details = { from: phase, to: phase, version: current.version, list: entry };
      await audit(tx, { actor, action: 'rollout.list', ...(reason === undefined ? {} : { reason }), details });
      const seq = await nextSeq(tx, ROLLOUT_TOPIC);
      await tx.query('UPDATE rollout SET seq = $1 WHERE id = 1', [seq]);
      return true;
    });
  } catch (error) {
    throw controlError(error);
  }
}
