import {
  FENCE_CODES,
  FencedWrite,
  type FenceColumn,
  type FencedWriteOptions,
  type ShardSet,
  type SlotFollower,
  type SlotMap,
} from '@wherry/shards';
import type { FamilyEndReason, FamilyMode } from './family.ts';
import {
  mysqlBegin,
  mysqlDelete,
  mysqlEnd,
  mysqlEndSession,
  mysqlEvidence,
  mysqlMakeRoom,
  mysqlRotate,
  mysqlStep,
} from './mysql-statements.ts';

/** What the statements run on. */
export interface StatementContext {
  readonly shards: ShardSet;
  readonly map: SlotMap;
  readonly follower: SlotFollower;
  /** Longest wait for a slot that is closing, ms. */
  readonly deadlineMs: number;
}

interface Item {
  readonly slot: number;
  readonly id: bigint;
}

/** A family to begin. Times in epoch ms; `now` null: the shard's clock. */
export interface BeginItem extends Item {
  readonly sessionId: bigint;
  readonly userId: string;
  readonly clientId: string;
  readonly mode: FamilyMode;
  readonly boundTo: string | null;
  readonly generation: number;
  readonly familyDigest: Buffer;
  readonly version: bigint;
  readonly current: Buffer;
  readonly now: number | null;
  readonly idleMs: number;
  readonly absoluteExpiry: number | null;
  /** Most living families of the session, this one included. */
  readonly most: number;
}

/** A current credential to rotate, with its successor. `now` null: the shard's clock. */
export interface RotateItem extends Item {
  readonly sessionId: bigint;
  readonly familyDigest: Buffer;
  readonly presented: Buffer;
  /** null: not said; another than the family's does not count. */
  readonly clientId: string | null;
  readonly boundTo: string | null;
  readonly minimumGeneration: number;
  readonly version: bigint;
  readonly successor: Buffer;
  readonly sealedSuccessor: Buffer;
  readonly now: number | null;
}

/** A step of a family: what its row becomes. */
export interface StepItem extends Item {
  /** The version that the step was decided on, and the one that it makes. */
  readonly expected: bigint;
  readonly version: bigint;
  readonly current: Buffer;
  readonly previous: Buffer | null;
  readonly rotatedAt: number | null;
  readonly sealedSuccessor: Buffer | null;
  readonly successorAt: number | null;
  readonly renewals: number;
  readonly idleExpiry: number;
  readonly endedAt: number | null;
  readonly endReason: FamilyEndReason | null;
  /** The client has presented what it was given. */
  readonly provedAt: number;
}

/** A family to end, or with a session's id all families of the session. `now` null: the shard's clock. */
export interface EndItem extends Item {
  readonly now: number | null;
  readonly reason: FamilyEndReason;
}

/** A session that is to have fewer than `most` living families. */
export interface RoomItem extends Item {
  readonly now: number | null;
  readonly most: number;
}

/** What a client of a session did, by the session's id. Epoch ms; null: nothing. */
export interface EvidenceItem extends Item {
  readonly clientId: string;
  readonly provedAt: number | null;
  readonly sessionTokenUsedAt: number | null;
}

/** A dead row to delete. */
export interface DeleteItem extends Item {
  /** It has to have been dead before, epoch ms. */
  readonly before: number;
}

type ColumnOf<I> = FenceColumn & { readonly of: (item: I) => unknown };

const HERE = 's.slot = o.slot AND s.id = o.id';
const OF_SESSION = 's.slot = o.slot AND s.session_id = o.id';
const RETURNING = 'RETURNING s.slot, s.id';
/** Statements about a session answer by its id. */
const RETURNING_SESSION = 'RETURNING s.slot, o.id';
const ROW = 'FROM token_family t WHERE t.slot = k.slot AND t.id = k.id';
const NOW = 'coalesce(o.now, wherry_now())';

/** The living families `t` of the session `id`. */
function aliveIn(id: string): string {
  return `t.slot = o.slot AND t.session_id = ${id} AND t.ended_at IS NULL AND least(t.idle_expiry, t.absolute_expiry) > ${NOW}`;
}

/** A row past its end or its caps at that moment. */
export function deadBefore(row: string, moment: string): string {
  return `coalesce(${row}.ended_at, least(${row}.idle_expiry, ${row}.absolute_expiry)) < ${moment}`;
}

/** A new family. `older`: an earlier try of this call has made it; `ended`: the session has as many as it may; `collision`: the id is taken. */
export function beginStatement(context: StatementContext): FencedWrite<BeginItem> {
  const columns: readonly ColumnOf<BeginItem>[] = [
    { name: 'session_id', type: 'bigint', of: ({ sessionId }) => sessionId },
    { name: 'user_id', type: 'text', of: ({ userId }) => userId },
    { name: 'client_id', type: 'text', of: ({ clientId }) => clientId },
    { name: 'mode', type: 'text', of: ({ mode }) => mode },
    { name: 'bound_to', type: 'text', of: ({ boundTo }) => boundTo },
    { name: 'user_generation', type: 'bigint', of: ({ generation }) => generation },
    { name: 'family_digest', type: 'bytea', of: ({ familyDigest }) => familyDigest },
    { name: 'version', type: 'bigint', of: ({ version }) => version },
    { name: 'current_digest', type: 'bytea', of: ({ current }) => current },
    { name: 'idle_ms', type: 'bigint', of: ({ idleMs }) => idleMs },
    { name: 'absolute_expiry', type: 'bigint', of: ({ absoluteExpiry }) => absoluteExpiry },
    { name: 'now', type: 'bigint', of: ({ now }) => now },
    { name: 'most', type: 'int', of: ({ most }) => most },
  ];
  const stored = columns.slice(0, -2);
  const names = stored.map(({ name }) => name).join(', ');
  return fenced('family-begin', columns, context, {
    write: `INSERT INTO token_family AS s (slot, id, ${names}, renewals, create_time, idle_expiry)
      SELECT slot, id, ${names}, 0, ${NOW}, ${NOW} + o.idle_ms FROM o
      WHERE (SELECT count(*) FROM token_family t WHERE ${aliveIn('o.session_id')}) < o.most
      ON CONFLICT (slot, id) DO NOTHING ${RETURNING}`,
    refusal: `coalesce((SELECT CASE WHEN t.family_digest = k.family_digest THEN ${FENCE_CODES.older} ELSE ${FENCE_CODES.collision} END ${ROW}),
      ${FENCE_CODES.ended})`,
    mysql: mysqlBegin(stored),
  });
}

/** What a rotation answers of the row, in this order. */
const ROTATED = [
  'user_id',
  'client_id',
  'bound_to',
  'user_generation',
  'renewals',
  'create_time',
  'idle_expiry',
  'absolute_expiry',
] as const;

/**
 * Judgement and step in one for what is presented most, a current credential: the row's next state, where nothing speaks
 * against it (`verdictOf`, step `rotate`). Everything is judged on the row as it is when it is locked. `older`: it is
 * another case, and nothing was written.
 */
export function rotateStatement(context: StatementContext): FencedWrite<RotateItem> {
  const columns: readonly ColumnOf<RotateItem>[] = [
    { name: 'session_id', type: 'bigint', of: ({ sessionId }) => sessionId },
    { name: 'family_digest', type: 'bytea', of: ({ familyDigest }) => familyDigest },
    { name: 'presented', type: 'bytea', of: ({ presented }) => presented },
    { name: 'client_id', type: 'text', of: ({ clientId }) => clientId },
    { name: 'bound_to', type: 'text', of: ({ boundTo }) => boundTo },
    // Of a disabled user none is high enough: infinite.
    { name: 'minimum_generation', type: 'bigint', of: ({ minimumGeneration }) => Math.min(minimumGeneration, Number.MAX_SAFE_INTEGER) },
    { name: 'version', type: 'bigint', of: ({ version }) => version },
    { name: 'successor', type: 'bytea', of: ({ successor }) => successor },
    { name: 'sealed_successor', type: 'bytea', of: ({ sealedSuccessor }) => sealedSuccessor },
    { name: 'now', type: 'bigint', of: ({ now }) => now },
  ];
  return fenced('family-rotate', columns, context, {
    write: `UPDATE token_family s SET version = o.version, current_digest = o.successor, previous_digest = o.presented, rotated_at = o.now,
        sealed_successor = o.sealed_successor, successor_at = o.now, renewals = s.renewals + 1, idle_expiry = o.now + s.idle_ms,
        proved_at = least(s.proved_at, o.now)
      FROM (SELECT slot, id, ${columns.map(({ name }) => (name === 'now' ? `${NOW} AS now` : name)).join(', ')} FROM o OFFSET 0) o
      WHERE ${HERE} AND s.session_id = o.session_id AND s.family_digest = o.family_digest AND s.mode = 'credential'
        AND s.current_digest = o.presented AND s.ended_at IS NULL AND least(s.idle_expiry, s.absolute_expiry) > o.now
        AND s.user_generation >= o.minimum_generation AND coalesce(s.client_id = o.client_id, true)
        AND (s.bound_to IS NULL OR s.bound_to = o.bound_to)
      ${RETURNING}, ${ROTATED.map((name) => `s.${name}`).join(', ')}`,
    refusal: String(FENCE_CODES.older),
    answer: ROTATED.map((name) => `w.${name}`),
    mysql: mysqlRotate(ROTATED),
  });
}

/**
 * The next state of a row, where it is still in the one that the step was decided on: so of all who decide on one state,
 * on any instance, one takes a step, and the others decide anew. `older`: an earlier try of this very step has taken it,
 * its answer was lost; `ended`: somebody else took one, or the family ended; `collision`: the row is gone.
 */
export function stepStatement(context: StatementContext): FencedWrite<StepItem> {
  const columns: readonly ColumnOf<StepItem>[] = [
    { name: 'expected', type: 'bigint', of: ({ expected }) => expected },
    { name: 'version', type: 'bigint', of: ({ version }) => version },
    { name: 'current_digest', type: 'bytea', of: ({ current }) => current },
    { name: 'previous_digest', type: 'bytea', of: ({ previous }) => previous },
    { name: 'rotated_at', type: 'bigint', of: ({ rotatedAt }) => rotatedAt },
    { name: 'sealed_successor', type: 'bytea', of: ({ sealedSuccessor }) => sealedSuccessor },
    { name: 'successor_at', type: 'bigint', of: ({ successorAt }) => successorAt },
    { name: 'renewals', type: 'bigint', of: ({ renewals }) => renewals },
    { name: 'idle_expiry', type: 'bigint', of: ({ idleExpiry }) => idleExpiry },
    { name: 'ended_at', type: 'bigint', of: ({ endedAt }) => endedAt },
    { name: 'end_reason', type: 'text', of: ({ endReason }) => endReason },
    { name: 'proved_at', type: 'bigint', of: ({ provedAt }) => provedAt },
  ];
  const changed = columns.slice(1, -1);
  const set = changed.map(({ name }) => `${name} = o.${name}`);
  return fenced('family-step', columns, context, {
    write: `UPDATE token_family s SET ${set.join(', ')}, proved_at = least(s.proved_at, o.proved_at)
      FROM o WHERE ${HERE} AND s.version = o.expected AND s.ended_at IS NULL ${RETURNING}`,
    refusal: `coalesce((SELECT CASE WHEN t.version = k.version THEN ${FENCE_CODES.older}
      WHEN t.version <> k.expected OR t.ended_at IS NOT NULL THEN ${FENCE_CODES.ended} ELSE 0 END ${ROW}), ${FENCE_CODES.collision})`,
    mysql: mysqlStep(changed),
  });
}

/** The end of a family. `older`: it had ended, or is gone. */
export function endStatement(context: StatementContext): FencedWrite<EndItem> {
  return ending('family-end', context, HERE, {
    returning: RETURNING,
    refusal: `coalesce((SELECT CASE WHEN t.ended_at IS NOT NULL THEN ${FENCE_CODES.older} ELSE 0 END ${ROW}), ${FENCE_CODES.older})`,
    mysql: mysqlEnd(),
  });
}

/** The end of all families of a session. `older`: none was alive. */
export function endSessionStatement(context: StatementContext): FencedWrite<EndItem> {
  const refusal = String(FENCE_CODES.older);
  return ending('family-end-session', context, OF_SESSION, { returning: RETURNING_SESSION, refusal, mysql: mysqlEndSession() });
}

/** The end of that family of a session which was idle longest, where it has as many as it may. `older`: it has fewer. */
export function makeRoomStatement(context: StatementContext): FencedWrite<RoomItem> {
  const columns: readonly ColumnOf<RoomItem>[] = [
    { name: 'now', type: 'bigint', of: ({ now }) => now },
    { name: 'most', type: 'int', of: ({ most }) => most },
  ];
  const living = `FROM token_family t WHERE ${aliveIn('o.id')}`;
  return fenced('family-make-room', columns, context, {
    write: `UPDATE token_family s SET ended_at = ${NOW}, end_reason = 'replaced' FROM o
      WHERE ${OF_SESSION} AND s.ended_at IS NULL AND (SELECT count(*) ${living}) >= o.most
        AND s.id = (SELECT t.id ${living} ORDER BY t.idle_expiry - t.idle_ms, t.id LIMIT 1) ${RETURNING_SESSION}`,
    refusal: String(FENCE_CODES.older),
    mysql: mysqlMakeRoom(),
  });
}

function ending(
  name: string,
  context: StatementContext,
  which: string,
  { returning, refusal, mysql }: Pick<FamilySql<EndItem>, 'refusal' | 'mysql'> & { readonly returning: string },
): FencedWrite<EndItem> {
  const columns: readonly ColumnOf<EndItem>[] = [
    { name: 'now', type: 'bigint', of: ({ now }) => now },
    { name: 'reason', type: 'text', of: ({ reason }) => reason },
  ];
  const write = `UPDATE token_family s SET ended_at = ${NOW}, end_reason = o.reason FROM o WHERE ${which} AND s.ended_at IS NULL ${returning}`;
  return fenced(name, columns, context, { write, refusal, mysql });
}

/** First proof and last use by a client of a session, in all its families. They only move one way. `older`: nothing new, or no family. */
export function evidenceStatement(context: StatementContext): FencedWrite<EvidenceItem> {
  const columns: readonly ColumnOf<EvidenceItem>[] = [
    { name: 'client_id', type: 'text', of: ({ clientId }) => clientId },
    { name: 'proved_at', type: 'bigint', of: ({ provedAt }) => provedAt },
    { name: 'used_at', type: 'bigint', of: ({ sessionTokenUsedAt }) => sessionTokenUsedAt },
  ];
  return fenced('family-evidence', columns, context, {
    write: `UPDATE token_family s SET proved_at = least(s.proved_at, o.proved_at), session_token_used_at = greatest(s.session_token_used_at, o.used_at)
      FROM o WHERE ${OF_SESSION} AND s.client_id = o.client_id
        AND (o.proved_at < coalesce(s.proved_at, o.proved_at + 1) OR o.used_at > coalesce(s.session_token_used_at, o.used_at - 1))
      ${RETURNING_SESSION}`,
    refusal: String(FENCE_CODES.older),
    mysql: mysqlEvidence(),
  });
}

/** The removal of a dead row. `older`: it is not dead so long, or gone. */
export function deleteStatement(context: StatementContext): FencedWrite<DeleteItem> {
  return fenced('family-delete', [{ name: 'dead_before', type: 'bigint', of: ({ before }) => before }], context, {
    write: `DELETE FROM token_family s USING o WHERE ${HERE} AND ${deadBefore('s', 'o.dead_before')} ${RETURNING}`,
    refusal: String(FENCE_CODES.older),
    mysql: mysqlDelete(),
  });
}

/** What a statement is, for both dialects. */
type FamilySql<I extends Item> = Pick<FencedWriteOptions<I>, 'write' | 'refusal' | 'answer'> &
  Required<Pick<FencedWriteOptions<I>, 'mysql'>>;

function fenced<I extends Item>(
  name: string,
  columns: readonly ColumnOf<I>[],
  context: StatementContext,
  sql: FamilySql<I>,
): FencedWrite<I> {
  const value = (item: I, column: number): unknown => columns[column]?.of(item);
  return new FencedWrite<I>({ name, columns, value, ...sql, ...context });
}
