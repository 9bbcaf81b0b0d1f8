/**
 * Array parameters as PostgreSQL's text form. The driver quotes and escapes every element; numbers need neither, and
 * there are hundreds in a batch.
 */

/** `{1,2,NULL}`: for `int[]` and `bigint[]`. */
export function integerArray(values: readonly (number | bigint | null)[]): string {
  let text = '{';
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    text += i === 0 ? (value ?? 'NULL') : `,${value ?? 'NULL'}`;
  }
  return `${text}}`;
}

/** For `bytea[]`. */
export function byteaArray(values: readonly (Buffer | null)[]): string {
  let text = '{';
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (i > 0) text += ',';
    // The hex form, with its backslash escaped for the array.
    text += value === null || value === undefined ? 'NULL' : `"\\\\x${value.toString('hex')}"`;
  }
  return `${text}}`;
}

/** For `text[]`. */
export function textArray(values: readonly (string | null)[]): string {
  let text = '{';
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (i > 0) text += ',';
    text += value === null || value === undefined ? 'NULL' : `"${value.replace(/["\\]/g, '\\$&')}"`;
  }
  return `${text}}`;
}
