/** What a value of a session is, as far as a column's type depends on it. */
export type ValueKind = 'null' | 'boolean' | 'integer' | 'decimal' | 'uuid' | 'instant' | 'text' | 'array' | 'object';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** A date with a zone (RFC 3339). Without a zone it says no moment and stays text. */
const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$/;
const LONGEST_INSTANT = 40;

/** Tells the kind of a JSON value, or of a whole number that JSON would round. */
export function valueKind(value: unknown): ValueKind {
  if (value === null || value === undefined) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'boolean') return 'boolean';
  // A number past 2^53 has lost digits already.
  if (typeof value === 'number') return Number.isSafeInteger(value) ? 'integer' : 'decimal';
  if (typeof value === 'bigint') return BigInt.asIntN(64, value) === value ? 'integer' : 'decimal';
  return typeof value === 'string' ? textKind(value) : 'object';
}

function textKind(text: string): ValueKind {
  if (text.length === 36 && UUID.test(text)) return 'uuid';
  if (text.length <= LONGEST_INSTANT && INSTANT.test(text) && Number.isFinite(Date.parse(text))) return 'instant';
  return 'text';
}
