import type { AttributeColumn } from './column-proposal.ts';

/** An index, or why there is none. */
export interface IndexProposal {
  readonly name: string;
  readonly columns: readonly string[];
  readonly unique: boolean;
  readonly reason: string;
}

/** A column without an index of its own. */
export interface RefusedIndex {
  readonly column: string;
  readonly reason: string;
}

/** The indexes that every session table has. The primary key is (slot, id). */
export const SESSION_INDEXES: readonly IndexProposal[] = [
  {
    name: 'user_session_session_id',
    columns: ['slot', 'session_id'],
    unique: true,
    reason: 'two sessions of one id cannot be; slot first, because it follows from the id and keeps the index with its slot',
  },
  { name: 'user_session_username', columns: ['username'], unique: false, reason: 'sessions of a name are listed and ended by people' },
  { name: 'user_session_user_id', columns: ['user_id'], unique: false, reason: 'log-out everywhere finds all sessions of a user' },
  { name: 'user_session_expire_time', columns: ['expire_time'], unique: false, reason: 'what has run out is removed in ranges' },
];

const MIN_DISTINCT = 20;
const MIN_SHARE = 0.01;
const MAX_INDEXES = 3;
/** Characters of a text that an index of MySQL takes whole: 3072 bytes, four a character. */
const LONGEST_INDEXED = 512;
/** Names of what a row is looked up by: it belongs to somebody or something. */
const KEY = /(^|_)(id|key|code|email|mail|phone|tenant|organi[sz]ation|org|account|customer|member|company|device|number|no)$/;

/** Proposes indexes on columns of attributes: each costs every write, so only what is called and spread like a key gets one. */
export function proposeIndexes(
  columns: readonly AttributeColumn[],
  sessions: number,
): { readonly indexes: readonly IndexProposal[]; readonly refused: readonly RefusedIndex[] } {
  const indexes: IndexProposal[] = [];
  const refused: RefusedIndex[] = [];
  for (const { name, type, profile } of columns) {
    const distinct = profile.distinct?.count ?? 0;
    const reason =
      type.is === 'boolean' || type.is === 'decimal' || type.is === 'instant'
        ? `a ${type.is === 'instant' ? 'moment' : type.is === 'decimal' ? 'measure' : 'yes or no'}: nobody looks a session up by it`
        : !KEY.test(name)
          ? 'not called like a key: an index costs every save and touch'
          : distinct < Math.max(MIN_DISTINCT, sessions * MIN_SHARE)
            ? `${distinct} different values in ${sessions} sessions: an index would hardly narrow`
            : type.is === 'text' && type.length > LONGEST_INDEXED
              ? 'too long for an index of MySQL'
              : indexes.length >= MAX_INDEXES
                ? `there are ${MAX_INDEXES} already`
                : undefined;
    if (reason !== undefined) refused.push({ column: name, reason });
    else
      indexes.push({
        name: `user_session_a${indexes.length + 1}`,
        columns: [name],
        unique: false,
        reason: `called like a key, ${profile.distinct?.exact === false ? 'about ' : ''}${distinct} different values in ${sessions} sessions`,
      });
  }
  return { indexes, refused };
}
