import { looksSecret } from '../analysis/attribute-name.ts';
import type { AttributeProfile } from '../analysis/attribute-profiles.ts';
import { percent } from '../analysis/identity-proposal.ts';
import { memberNames } from '../analysis/path-text.ts';
import type { ValueKind } from '../analysis/value-kind.ts';
import type { ColumnNames } from './column-names.ts';

/** What a column of an attribute holds. `instant`: epoch milliseconds. */
export type ColumnType =
  | { readonly is: 'boolean' | 'integer' | 'decimal' | 'uuid' | 'instant' }
  /** `length` in characters. */
  | { readonly is: 'text'; readonly length: number };

/** An attribute that gets a column. */
export interface AttributeColumn {
  readonly name: string;
  /** Member names from the top of the session. */
  readonly path: readonly string[];
  readonly profile: AttributeProfile;
  readonly type: ColumnType;
  readonly reason: string;
}

/** An attribute that gets none. */
export interface RefusedColumn {
  readonly profile: AttributeProfile;
  readonly reason: string;
}

const MIN_SHARE = 0.5;
const LONGEST_TEXT = 512;
const MAX_COLUMNS = 24;
/** Of texts of attributes in one row, at four bytes a character: a row of MySQL holds 65,535, its other columns included. */
const MAX_TEXT_BYTES = 40_000;
const ENUM_VALUES = 16;
const SCALARS: readonly ValueKind[] = ['boolean', 'integer', 'decimal', 'uuid', 'instant', 'text'];

/**
 * Chooses the attributes that are worth a column: in at least half of the sessions, of one type, short, no secret. The
 * rest stays in JSON, where it is kept whole in any case. `identity` are the dotted paths that have columns already.
 */
export function proposeColumns(
  profiles: readonly AttributeProfile[],
  sessions: number,
  identity: readonly string[],
  names: ColumnNames,
): { readonly columns: readonly AttributeColumn[]; readonly refused: readonly RefusedColumn[] } {
  const columns: AttributeColumn[] = [];
  const refused: RefusedColumn[] = [];
  let textBytes = 0;
  for (const profile of profiles) {
    const path = memberNames(profile.path);
    const type = columnType(profile);
    const bytes = type?.is === 'text' ? type.length * 4 : 0;
    const reason = refusal(profile, path, sessions, identity) ?? noRoom(columns.length, textBytes + bytes);
    if (reason !== undefined || path === undefined || type === undefined) {
      refused.push({ profile, reason: reason ?? 'it has no single type' });
      continue;
    }
    textBytes += bytes;
    columns.push({
      name: names.take(path),
      path,
      profile,
      type,
      reason: `in ${percent(present(profile), sessions)} of the sessions, ${typeReason(profile, type)}`,
    });
  }
  return { columns, refused };
}

function refusal(
  profile: AttributeProfile,
  path: readonly string[] | undefined,
  sessions: number,
  identity: readonly string[],
): string | undefined {
  if (profile.path.some(({ to }) => to === 'masked')) return 'its name is data, not a word of the program';
  if (path === undefined) return 'inside of an array: many values for one session';
  if (path[0] === 'cookie') return "the session software's own; its times stand in expire_time";
  if (identity.includes(path.join('.'))) return 'stands in user_id, username or authorities';
  if (path.some(looksSecret)) return 'is called like a secret: not to be laid open to queries and indexes';
  const { kinds } = profile;
  if ((kinds.object ?? 0) > 0) return 'an object: its members are looked at by themselves';
  if ((kinds.array ?? 0) > 0) return 'an array: many values for one session';
  const seen = SCALARS.filter((kind) => (kinds[kind] ?? 0) > 0);
  if (seen.length === 0) return 'nothing but null was seen';
  if (present(profile) < sessions * MIN_SHARE) return `only in ${percent(present(profile), sessions)} of the sessions`;
  if (columnType(profile) === undefined)
    return seen.every(isTextual) ? `texts of up to ${profile.size?.max ?? 0} characters` : `mixed types: ${seen.join(', ')}`;
  return undefined;
}

function noRoom(columns: number, textBytes: number): string | undefined {
  if (columns >= MAX_COLUMNS) return `there are ${MAX_COLUMNS} columns already, of attributes that are as frequent`;
  return textBytes > MAX_TEXT_BYTES ? 'a row of MySQL has no room for it beside the others' : undefined;
}

/** In how many sessions it has a value. */
function present({ sessions, kinds }: AttributeProfile): number {
  return Math.max(0, sessions - (kinds.null ?? 0));
}

function columnType({ kinds, size }: AttributeProfile): ColumnType | undefined {
  const seen = SCALARS.filter((kind) => (kinds[kind] ?? 0) > 0);
  const [only] = seen;
  if (seen.length === 1 && only !== undefined && only !== 'text') return { is: only as Exclude<ColumnType['is'], 'text'> };
  if (seen.length === 2 && seen.includes('integer') && seen.includes('decimal')) return { is: 'decimal' };
  if (seen.length === 0 || !seen.every(isTextual) || size === null || size.max > LONGEST_TEXT) return undefined;
  return { is: 'text', length: Math.max(16, 2 ** Math.ceil(Math.log2(Math.max(1, size.max) * 2))) };
}

function isTextual(kind: ValueKind): boolean {
  return kind === 'text' || kind === 'uuid' || kind === 'instant';
}

function typeReason({ distinct, size, magnitude }: AttributeProfile, type: ColumnType): string {
  switch (type.is) {
    case 'boolean':
      return 'always true or false';
    case 'integer':
      return `always whole numbers of up to ${magnitude?.digits ?? 1} digits`;
    case 'decimal':
      return 'always numbers';
    case 'uuid':
      return 'always UUIDs';
    case 'instant':
      return 'always moments with a zone, kept as epoch milliseconds';
    case 'text': {
      const few = distinct !== null && distinct.exact && distinct.count <= ENUM_VALUES;
      const values = few
        ? `${distinct.count} different; no ENUM and no CHECK, a release with one value more must not fail`
        : `${distinct?.exact === false ? 'about ' : ''}${distinct?.count ?? 0} different`;
      return `texts of up to ${size?.max ?? 0} characters, with room for twice that; ${values}`;
    }
  }
}
