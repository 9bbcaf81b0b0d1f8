import type { FenceColumn } from '../fence.ts';
import { integer } from './literal.ts';

/*
 * A batch as MySQL reads it: one JSON document, a list of lists, taken apart by JSON_TABLE. A list of rows in the text of
 * the statement would have to be parsed anew for each size and has another spelling in MySQL than in MariaDB; a text of
 * five hundred rows takes both databases as long either way.
 */

/** SQL types of the columns in a document. Texts name their character set: else the database's own would cut characters out. Bytes come as base64. */
const TYPES: Readonly<Record<FenceColumn['type'], string>> = {
  int: 'INT',
  bigint: 'BIGINT',
  text: 'LONGTEXT CHARACTER SET utf8mb4',
  bytea: 'LONGTEXT CHARACTER SET ascii',
};

/**
 * The rows of the document in `from`, numbered from 1 in `n`. Each column is looked for in each row anew, whether it is
 * asked for or not, so those that `wanted` turns away are left out.
 */
export function documentTable(
  from: string,
  columns: readonly FenceColumn[],
  alias: string,
  wanted: (name: string) => boolean = () => true,
): string {
  const list = columns.flatMap(({ name, type }, at) => (wanted(name) ? [`${name} ${TYPES[type]} PATH '$[${at}]' ERROR ON ERROR`] : []));
  return `JSON_TABLE(${from}, '$[*]' COLUMNS (n FOR ORDINALITY, ${list.join(', ')})) ${alias}`;
}

/** The document of a batch. Half a surrogate pair becomes U+FFFD, as in PostgreSQL's. Errors: `record_unstorable`. */
export function batchDocument(columns: readonly FenceColumn[], rows: readonly (readonly unknown[])[]): string {
  const written = rows.map((row) => `[${columns.map(({ type }, at) => encoded(type, row[at])).join(',')}]`);
  return `[${written.join(',')}]`;
}

/** A value of the batch, which is `alias.name`, as what it is in a column of the table. */
export function documentValue({ name, type }: FenceColumn, alias: string): string {
  return type === 'bytea' ? `FROM_BASE64(${alias}.${name})` : `${alias}.${name}`;
}

function encoded(type: FenceColumn['type'], value: unknown): string {
  if (value === null || value === undefined) return 'null';
  switch (type) {
    case 'int':
    case 'bigint':
      return integer(value as number | bigint);
    case 'text':
      return JSON.stringify((value as string).toWellFormed());
    case 'bytea':
      return `"${(value as Buffer).toString('base64')}"`;
  }
}
