import { isUtf8 } from 'node:buffer';
import { CREATION_TIME, LAST_ACCESSED_TIME, MAX_INACTIVE_INTERVAL, type SpringFields } from './layout.ts';

const TEXT = 't:';
const BASE64 = 'b:';

/** The fields of a session as one text. One text for the same fields, and the fields again from it. */
export function textOfFields(fields: SpringFields): string {
  const names = [...fields.keys()].filter((name) => name !== LAST_ACCESSED_TIME).toSorted(byUnits);
  const members = names.map((name) => `${JSON.stringify(name)}:${JSON.stringify(textOf(fields.get(name) as Buffer))}`);
  return `{${members.join(',')}}`;
}

/**
 * The fields in a text that {@link textOfFields} made; members that are no texts are passed over. undefined: it made none
 * such, or a field is missing that every session has.
 */
export function fieldsOfText(text: string): Map<string, Buffer> | undefined {
  const members = objectOf(text);
  if (members === undefined) return undefined;
  const fields = new Map<string, Buffer>();
  for (const [name, value] of Object.entries(members)) {
    if (typeof value !== 'string') continue;
    const bytes = bytesOf(value);
    if (bytes === undefined || !name.isWellFormed()) return undefined;
    fields.set(name, bytes);
  }
  return fields.has(CREATION_TIME) && fields.has(MAX_INACTIVE_INTERVAL) && !fields.has(LAST_ACCESSED_TIME) ? fields : undefined;
}

function objectOf(text: string): object | undefined {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function textOf(bytes: Buffer): string {
  return isUtf8(bytes) ? TEXT + bytes.toString('utf8') : BASE64 + bytes.toString('base64');
}

function bytesOf(value: string): Buffer | undefined {
  if (value.startsWith(TEXT)) return value.isWellFormed() ? Buffer.from(value.slice(TEXT.length), 'utf8') : undefined;
  if (!value.startsWith(BASE64)) return undefined;
  const bytes = Buffer.from(value.slice(BASE64.length), 'base64');
  // Node's decoder passes over what is no base64; two texts must not stand for the same bytes.
  return bytes.toString('base64') === value.slice(BASE64.length) ? bytes : undefined;
}

/** Names in the order of their UTF-16 units: the same on every machine. */
function byUnits(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
