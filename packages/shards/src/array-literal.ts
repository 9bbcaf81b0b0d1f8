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

/** What JSON would write as an escape of its own: control characters and, when alone, surrogates. */
// oxlint-disable-next-line no-control-regex
const NOT_PLAIN = /[\u0000-\u001f\ud800-\udfff]/;

/** An element of a text array: quote and backslash escaped. In all other text JSON escapes just these, and many times faster. */
function quoted(value: string): string {
  return NOT_PLAIN.test(value) ? `"${value.replace(/["\\]/g, String.raw`\$&`)}"` : JSON.stringify(value);
}

/** For `text[]`. */
export function textArray(values: readonly (string | null)[]): string {
  let text = '{';
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (i > 0) text += ',';
    text += value === null || value === undefined ? 'NULL' : quoted(value);
  }
  return `${text}}`;
}
