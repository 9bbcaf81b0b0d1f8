import { BSON, type Document } from 'mongodb';

const { EJSON } = BSON;

/** A value of JSON. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

/** The wrappers of MongoDB's Extended JSON v2 that are written here, by their first member. */
const WRAPPERS = new Set([
  '$numberLong',
  '$numberDouble',
  '$numberDecimal',
  '$date',
  '$oid',
  '$binary',
  '$regularExpression',
  '$timestamp',
  '$symbol',
  '$code',
  '$minKey',
  '$maxKey',
  '$undefined',
]);
const INT32 = 0x8000_0000;

/**
 * A document of MongoDB as JSON, by the canonical form of Extended JSON v2 with one exception: a number that a
 * JavaScript program would store as the same type is a plain number. Where a member's own name begins with "$", one more
 * stands before it, so that no data is taken for a wrapper. `value` comes with its types kept apart (`promoteValues: false`).
 */
export function toTypedJson(value: unknown): Json {
  if (value === undefined) return { $undefined: true };
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') return plainNumber(value);
  if (typeof value !== 'object') return null;
  if (Array.isArray(value)) return value.map(toTypedJson);
  if (value instanceof Date) return { $date: { $numberLong: String(value.getTime()) } };
  switch (bsonTypeOf(value)) {
    case undefined:
    case 'DBRef':
      return members('toJSON' in value && bsonTypeOf(value) === 'DBRef' ? (value.toJSON as () => object).call(value) : value);
    case 'Int32':
      return Number(value.valueOf());
    case 'Double':
      return plainNumber(Number(value.valueOf()));
    default:
      return EJSON.serialize(value, { relaxed: false }) as Json;
  }
}

/** The document that {@link toTypedJson} made JSON of. What is no wrapper of its own is data. */
export function fromTypedJson(json: Json): unknown {
  if (typeof json !== 'object' || json === null) return json;
  if (Array.isArray(json)) return json.map(fromTypedJson);
  const [first] = Object.keys(json);
  if (first !== undefined && WRAPPERS.has(first)) return EJSON.deserialize(json as Document, { relaxed: false });
  const object = {};
  for (const [name, member] of Object.entries(json)) define(object, name.startsWith('$$') ? name.slice(1) : name, fromTypedJson(member));
  return object;
}

/** What a document says as plain JSON, for reports and for finding out whose session it is: wrappers are replaced by what they hold. */
export function withoutTypes(json: Json): Json {
  if (typeof json !== 'object' || json === null) return json;
  if (Array.isArray(json)) return json.map(withoutTypes);
  const [first] = Object.keys(json);
  if (first !== undefined && WRAPPERS.has(first)) return plainContent(first, (json as Record<string, Json>)[first] ?? null);
  const object = {};
  for (const [name, member] of Object.entries(json)) define(object, name.startsWith('$$') ? name.slice(1) : name, withoutTypes(member));
  return object as Json;
}

function plainContent(wrapper: string, content: Json): Json {
  switch (wrapper) {
    case '$numberLong':
    case '$numberDouble': {
      const number = Number(content);
      return Number.isSafeInteger(number) || wrapper === '$numberDouble' ? number : content;
    }
    case '$date': {
      const date = new Date(Number((content as { readonly $numberLong?: string } | null)?.$numberLong ?? Number.NaN));
      return Number.isNaN(date.getTime()) ? null : date.toISOString();
    }
    default:
      return typeof content === 'string' ? content : { [wrapper]: content };
  }
}

/** A number as a JavaScript program would store it again, or its type with it: it stores whole numbers of 32 bits as such, not as doubles. */
function plainNumber(value: number): Json {
  const kept = Number.isFinite(value) && !(Number.isInteger(value) && value >= -INT32 && value < INT32);
  if (kept) return value;
  return { $numberDouble: Object.is(value, -0) ? '-0.0' : String(value) };
}

function members(value: object): Json {
  const object = {};
  for (const [name, member] of Object.entries(value)) define(object, name.startsWith('$') ? `$${name}` : name, toTypedJson(member));
  return object as Json;
}

/** `__proto__` is a name like any other. */
function define(object: object, name: string, value: unknown): void {
  Object.defineProperty(object, name, { value, enumerable: true, writable: true, configurable: true });
}

function bsonTypeOf(value: object): unknown {
  return '_bsontype' in value ? value._bsontype : undefined;
}
