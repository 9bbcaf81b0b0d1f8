/** What we use of the driver's description of a column. */
export interface MysqlColumn {
  readonly columnType?: number | undefined;
  readonly type?: number | undefined;
}

/** TINY, SHORT, LONG, LONGLONG, INT24: types of integers in the protocol. */
const INTEGERS = new Set([1, 2, 3, 8, 9]);

/** True for a column of integers. */
export function isInteger({ columnType, type }: MysqlColumn): boolean {
  return INTEGERS.has(columnType ?? type ?? -1);
}

/**
 * A row as PostgreSQL would send it in its binary form, for `BinaryRow`: so what reads the rows of a table is written once.
 * `values` are in the text form in which MySQL sends them; integers become `int8`.
 */
export function dataRow(values: readonly (Buffer | null)[], integers: readonly boolean[]): Buffer {
  let size = 2 + 4 * values.length;
  for (const [at, value] of values.entries()) size += value === null ? 0 : integers[at] === true ? 8 : value.length;
  const row = Buffer.allocUnsafe(size);
  row.writeInt16BE(values.length);
  let to = 2;
  for (const [at, value] of values.entries()) {
    if (value === null) {
      to = row.writeInt32BE(-1, to);
    } else if (integers[at] === true) {
      row.writeInt32BE(8, to);
      to = row.writeBigInt64BE(BigInt(value.toString('latin1')), to + 4);
    } else {
      to = row.writeInt32BE(value.length, to);
      to += value.copy(row, to);
    }
  }
  return row;
}
