import type { Queryable } from '@wherry/core/control';
import type { SessionRecord } from '@wherry/sessions';
import type { SessionRead } from '@wherry/sessions/sql';
import type { MigrationContext } from '../context.ts';
import type { DecidedCase, Decision } from './case.ts';
import type { PendingChange } from './pending-changes.ts';
import type { RaisedUsers } from './raised-users.ts';

/** What judging needs. */
interface JudgeContext extends Pick<MigrationContext, 'control' | 'ended'> {
  readonly raised?: RaisedUsers;
}

/** A session that is to be put, and whose user's generation was raised above its own. */
interface RaisedCase {
  readonly one: DecidedCase;
  readonly put: Decision & { readonly do: 'put' };
  readonly userId: string;
}

/**
 * Gives sessions that writers past us began after their user's generation was raised the one that counts, and ends those that
 * are of before: see {@link RaisedUsers}. Where that cannot be told yet all stays as it was decided, dead by its generation.
 */
export async function judgeLogIns(context: JudgeContext, cases: readonly DecidedCase[]): Promise<readonly DecidedCase[]> {
  const raised = cases.flatMap((one) => raisedCase(context, one));
  if (raised.length === 0 || context.raised?.judges !== true) return cases;
  const begun = raised.filter(
    ({ one, userId }) => !one.change.present && isWritten(one.change) && heldGeneration(one.row, userId) === undefined,
  );
  const generations = begun.length === 0 ? NONE : await context.raised.generations([...new Set(begun.map(({ userId }) => userId))]);
  const letters = generations.size === 0 ? NO_IDS : await withLetters(context.control, begun);
  const judged = new Map<DecidedCase, DecidedCase>();
  for (const { one, put, userId } of raised) {
    const isLogIn = begun.some((other) => other.one === one) && !letters.has(one.key.id);
    const generation = heldGeneration(one.row, userId) ?? (isLogIn ? generations.get(userId) : undefined) ?? 0;
    const lives = generation >= context.ended.minimumGeneration(userId);
    judged.set(one, lives ? { ...one, decision: lifted(put, generation) } : { ...one, decision: ended(one.row), foundDead: true });
  }
  return cases.map((one) => judged.get(one) ?? one);
}

const NONE: ReadonlyMap<string, number> = new Map();
const NO_IDS: ReadonlySet<bigint> = new Set();

function raisedCase({ ended }: JudgeContext, one: DecidedCase): RaisedCase[] {
  const { decision } = one;
  if (decision.do !== 'put') return [];
  const { userId, userGeneration } = decision.record;
  return userId !== null && userGeneration < ended.minimumGeneration(userId) ? [{ one, put: decision, userId }] : [];
}

/** Whoever only extends a session has not begun it. */
function isWritten({ values, unseen }: PendingChange): boolean {
  return values.length > 0 || unseen;
}

/** The generation that his session was given; undefined: the row is not his. */
function heldGeneration(row: SessionRead, userId: string): number | undefined {
  return row.state === 'live' && row.record.userId === userId ? row.record.userGeneration : undefined;
}

function lifted({ record, ...decision }: Decision & { readonly do: 'put' }, userGeneration: number): Decision {
  return { ...decision, record: { ...record, userGeneration } satisfies SessionRecord };
}

/** Tokens of whom a row says that it had it end with the record of its end; without a row there can be none. */
function ended(row: SessionRead): Decision {
  return { do: row.state === 'live' ? 'end' : 'bury' };
}

/** Those that could not be decoded before: to the application they were somebody's all the same. */
async function withLetters(control: Queryable, cases: readonly RaisedCase[]): Promise<ReadonlySet<bigint>> {
  const { rows } = await control.query<{ id: bigint }>('SELECT id FROM dead_letter WHERE id = ANY($1::bigint[])', [
    cases.map(({ one }) => one.key.id),
  ]);
  return new Set(rows.map(({ id }) => id));
}
