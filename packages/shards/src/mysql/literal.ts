import { WherryError } from '@wherry/core';

/** A value that can stand in a statement. Numbers are integers. */
export type MysqlValue = string | number | bigint | boolean | Uint8Array | readonly number[] | null;

const pieces = new Map<string, readonly string[]>();

/**
 * A statement with its values written into it, for the text protocol: there several statements go in one message, which
 * prepared ones cannot. Nothing is escaped, because nothing has to be: integers are written in digits, texts and bytes in
 * base64, whose alphabet has no sign with a meaning in SQL, under no `sql_mode` and in no character set. A list of integers
 * becomes what stands between the brackets of IN. Errors: `record_unstorable` for what is no integer of 64 bits.
 */
export function renderSql(text: string, values: readonly unknown[]): string {
  let split = pieces.get(text);
  if (split === undefined) {
    split = text.split(/\$(\d+)/);
    if (pieces.size < 1000) pieces.set(text, split);
  }
  let sql = '';
  for (const [at, piece] of split.entries()) sql += at % 2 === 0 ? piece : literal(values[Number(piece) - 1] as MysqlValue | undefined);
  return sql;
}

/** An integer in digits. Errors: `record_unstorable`. */
export function integer(value: number | bigint): string {
  if (typeof value === 'bigint' ? BigInt.asIntN(64, value) !== value : !Number.isSafeInteger(value))
    throw new WherryError('record_unstorable', 'the database cannot store a number that is no integer, not exact or over 64 bits');
  return String(value);
}

function literal(value: MysqlValue | undefined): string {
  if (value === null || value === undefined) return 'NULL';
  if (typeof value === 'number' || typeof value === 'bigint') return integer(value);
  if (typeof value === 'boolean') return value ? '1' : '0';
  if (typeof value === 'string') return `CONVERT(FROM_BASE64('${Buffer.from(value).toString('base64')}') USING utf8mb4)`;
  if (value instanceof Uint8Array)
    return `FROM_BASE64('${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')}')`;
  return value.length === 0 ? 'NULL' : value.map(integer).join(',');
}
