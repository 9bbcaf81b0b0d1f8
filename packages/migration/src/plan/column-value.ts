import type { AttributeColumn, ColumnType } from './column-proposal.ts';

/** The value for a column, in the form in which a driver takes it; null where the session has none that fits: it stays in JSON. */
export function columnValue({ path, type }: Pick<AttributeColumn, 'path' | 'type'>, session: object): string | number | boolean | null {
  let value: unknown = session;
  for (const name of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return null;
    value = (value as Record<string, unknown>)[name];
  }
  return fitting(value, type);
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

function fitting(value: unknown, type: ColumnType): string | number | boolean | null {
  switch (type.is) {
    case 'boolean':
      return typeof value === 'boolean' ? value : null;
    case 'integer':
      return Number.isSafeInteger(value) ? (value as number) : null;
    case 'decimal':
      return typeof value === 'number' ? value : null;
    case 'uuid':
      return typeof value === 'string' && UUID.test(value) ? value : null;
    case 'instant': {
      const ms = typeof value === 'string' && value.length <= 40 ? Date.parse(value) : Number.NaN;
      return Number.isSafeInteger(ms) ? ms : null;
    }
    case 'text':
      // PostgreSQL keeps no U+0000, and a half surrogate pair has no UTF-8.
      return typeof value === 'string' && value.length <= type.length && !value.includes('\u0000') && value.isWellFormed() ? value : null;
  }
}
