import { pathText } from '../analysis/path-text.ts';
import type { ColumnType } from './column-proposal.ts';
import type { IndexProposal } from './index-proposal.ts';
import type { SchemaProposal } from './schema-proposal.ts';
import { SESSION_COLUMNS } from './session-columns.ts';

/** The databases that a proposal is written for. */
export type SqlDialect = 'postgresql' | 'mysql';

/**
 * A proposal as SQL: the table of sessions with a column for each common attribute, and its indexes. Columns of
 * attributes may be null, so whoever writes sessions without knowing them can go on. Names are quoted; nothing of the
 * source stands in it but printable names of attributes, in comments of one line.
 */
export function schemaSql(proposal: SchemaProposal, dialect: SqlDialect): string {
  const quote = dialect === 'postgresql' ? (name: string) => `"${name}"` : (name: string) => `\`${name}\``;
  const table = quote('user_session');
  const lines: string[] = [];
  for (const column of SESSION_COLUMNS) lines.push(`  -- ${column.reason}`, `  ${quote(column.name)} ${column[dialect]},`);
  for (const { name, type, profile, reason } of proposal.columns)
    lines.push(`  -- ${pathText(profile.path)}: ${reason}`, `  ${quote(name)} ${columnSql(type, dialect)},`);
  const [unique, plain] = [true, false].map((wanted) => proposal.indexes.filter(({ unique }) => unique === wanted));
  for (const index of unique ?? []) {
    const kind = dialect === 'postgresql' ? `CONSTRAINT ${quote(index.name)} UNIQUE` : `UNIQUE KEY ${quote(index.name)}`;
    lines.push(`  -- ${index.reason}`, `  ${kind} (${index.columns.map(quote).join(', ')}),`);
  }
  lines.push(`  PRIMARY KEY (${quote('slot')}, ${quote('id')})`);
  const ending = dialect === 'postgresql' ? ')' : ') ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin';
  return [
    '-- Sessions on each shard. Times are epoch milliseconds.',
    `CREATE TABLE ${table} (`,
    ...lines,
    `${ending};`,
    ...(plain ?? []).flatMap((index) => indexLines(index, table, quote)),
    ...withoutIndex(proposal.refusedIndexes.map(({ column, reason }) => `${column}: ${reason}`)),
    '',
  ].join('\n');
}

function indexLines({ name, columns, reason }: IndexProposal, table: string, quote: (name: string) => string): string[] {
  return [`-- ${reason}`, `CREATE INDEX ${quote(name)} ON ${table} (${columns.map(quote).join(', ')});`];
}

function withoutIndex(reasons: readonly string[]): string[] {
  return reasons.length === 0 ? [] : ['-- No index on', ...reasons.map((reason) => `--   ${reason}`)];
}

function columnSql(type: ColumnType, dialect: SqlDialect): string {
  const postgresql = dialect === 'postgresql';
  switch (type.is) {
    case 'boolean':
      return 'boolean';
    case 'integer':
    case 'instant':
      return 'bigint';
    case 'decimal':
      return postgresql ? 'double precision' : 'double';
    case 'uuid':
      return postgresql ? 'uuid' : 'char(36) CHARACTER SET ascii COLLATE ascii_bin';
    case 'text':
      return postgresql ? 'text' : `varchar(${type.length})`;
  }
}
