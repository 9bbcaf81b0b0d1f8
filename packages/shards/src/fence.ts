/** A column of a fenced batch: its name and its SQL type. */
export interface FenceColumn {
  readonly name: string;
  readonly type: 'int' | 'bigint' | 'text' | 'bytea';
}

/** The parts of a fenced statement. SQL of the program's own, never input. */
export interface FencedSqlOptions {
  /** Columns beside slot, epoch and id, in the order of their parameters ($4 on). */
  readonly columns: readonly FenceColumn[];
  /**
   * The write: an INSERT or UPDATE that takes its rows from `o`, which has the columns of the batch and only the rows
   * whose slot is open under their epoch, in the order (slot, id). It returns at least `slot` and `id`.
   */
  readonly write: string;
  /** Expression over `k` for what became of a row that was owned and not written: a code of {@link FENCE_CODES}. */
  readonly refusal: string;
  /** Further expressions over `k` and `w` to answer. */
  readonly answer?: readonly string[];
}

/** What the `refusal` expression answers; anything else means that the row changed under the statement, which then is repeated. */
export const FENCE_CODES = { older: 1, ended: 2, collision: 3 } as const;

/**
 * Membership, each looked up in a hash that is built once. As joins they would be loops over loops: the planner takes
 * every batch for ten rows. CASE keeps it from making joins of them.
 */
const OWNED = '(CASE WHEN (k.slot, k.epoch) IN (SELECT f.slot, f.epoch FROM f) THEN true ELSE false END)';
const WRITTEN = '(CASE WHEN (k.slot, k.id) IN (SELECT w.slot, w.id FROM w) THEN true ELSE false END)';

/**
 * One statement that writes a batch only where this shard owns the slots under the epochs given.
 *
 * `f` locks each slot's owner row until the commit, and only where it is open under that epoch; a closer waits for these
 * locks when it replaces the row (`slot-owners.ts` says why it must be replaced). SKIP LOCKED turns a writer away who
 * comes while the closer holds the row. MATERIALIZED and the reference keep the planner from leaving the locks out. Rows
 * are matched with `f` by slot *and* epoch: one batch may hold rows of two epochs of a slot, and one of them is in force.
 *
 * Not to be had more simply: EXISTS takes no lock, and under REPEATABLE READ the lock sees the old owner.
 */
export function fencedSql(options: FencedSqlOptions): string {
  const names = options.columns.map(({ name }) => name);
  const parameters = options.columns.map(({ type }, i) => `$${i + 4}::${type}[]`);
  const written = options.answer === undefined ? 'k.written' : 'w.id IS NOT NULL';
  const answers = (options.answer ?? []).map((expression) => `, ${expression}`).join('');
  const batch = ['slot', 'epoch', 'id', ...names];
  return `
    WITH k AS (SELECT * FROM unnest(${['$1::int[]', '$2::bigint[]', '$3::bigint[]', ...parameters].join(', ')}) WITH ORDINALITY
      k(${batch.join(', ')}, ordinal)),
    f AS MATERIALIZED (SELECT o.slot, o.epoch FROM slot_owner o JOIN (SELECT DISTINCT slot, epoch FROM k) e ON e.slot = o.slot AND e.epoch = o.epoch
      WHERE o.state = 'open' ORDER BY o.slot FOR KEY SHARE OF o SKIP LOCKED),
    o AS (SELECT ${batch.map((name) => `k.${name}`).join(', ')} FROM k WHERE ${OWNED} ORDER BY k.slot, k.id),
    w AS (${options.write})
    SELECT k.ordinal, k.owned, ${written}, CASE WHEN k.owned AND NOT (${written}) THEN ${options.refusal} END${answers}
    FROM (SELECT k.*, ${OWNED} AS owned${options.answer === undefined ? `, ${WRITTEN} AS written` : ''} FROM k OFFSET 0) k
    ${options.answer === undefined ? '' : 'LEFT JOIN w ON w.slot = k.slot AND w.id = k.id'}`;
}
