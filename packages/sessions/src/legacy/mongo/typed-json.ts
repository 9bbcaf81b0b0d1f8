/** A value of JSON. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

/** The wrappers of MongoDB's Extended JSON v2 (canonical form) that stand for a type, by their first member. */
const WRAPPERS: ReadonlySet<string> = new Set([
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

/** The name of the wrapper that an object is; undefined: it is data. */
export function wrapperOf(json: object): string | undefined {
  const [first] = Object.keys(json);
  return first !== undefined && WRAPPERS.has(first) ? first : undefined;
}

/** Walks through an object's members: a name that begins with "$" was written with one more before it. */
export function mapMembers<T>(json: object, nameOf: (name: string) => string, valueOf: (member: Json) => T): Record<string, T> {
  const object: Record<string, T> = {};
  for (const [name, member] of Object.entries(json))
    // `__proto__` is a name like any other.
    Object.defineProperty(object, nameOf(name), { value: valueOf(member as Json), enumerable: true, writable: true, configurable: true });
  return object;
}

/** A member's own name. */
export function ownName(name: string): string {
  return name.startsWith('$$') ? name.slice(1) : name;
}

/** What a document says as plain JSON, for reports and for finding out whose session it is: wrappers are replaced by what they hold. */
export function withoutTypes(json: Json): Json {
  if (typeof json !== 'object' || json === null) return json;
  if (Array.isArray(json)) return json.map(withoutTypes);
  const wrapper = wrapperOf(json);
  if (wrapper !== undefined) return plainContent(wrapper, (json as Record<string, Json>)[wrapper] ?? null);
  return mapMembers(json, ownName, withoutTypes);
}

/** What has no plain form becomes an object without members: a user who is such a thing is refused rather than taken for nobody. */
const OPAQUE: Json = {};

function plainContent(wrapper: string, content: Json): Json {
  switch (wrapper) {
    case '$undefined':
      return null;
    case '$numberLong': {
      // One past 2^53 stays text: two users could become one.
      const number = typeof content === 'string' ? Number(content) : Number.NaN;
      return Number.isSafeInteger(number) ? number : textOr(content);
    }
    case '$numberDouble':
      return typeof content === 'string' ? Number(content) : OPAQUE;
    case '$date': {
      const ms = memberOf(content, '$numberLong');
      const date = new Date(typeof ms === 'string' ? Number(ms) : Number.NaN);
      return Number.isNaN(date.getTime()) ? OPAQUE : date.toISOString();
    }
    case '$binary':
      return uuidIn(content) ?? OPAQUE;
    default:
      return textOr(content);
  }
}

function textOr(content: Json): Json {
  return typeof content === 'string' ? content : OPAQUE;
}

/** A UUID (BSON subtype 4) as text. */
function uuidIn(content: Json): string | undefined {
  const base64 = memberOf(content, 'base64');
  if (memberOf(content, 'subType') !== '04' || typeof base64 !== 'string') return undefined;
  const hex = Buffer.from(base64, 'base64').toString('hex');
  return hex.length === 32 ? hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-') : undefined;
}

function memberOf(content: Json, name: string): Json | undefined {
  return typeof content === 'object' && content !== null && Object.hasOwn(content, name)
    ? (content as Record<string, Json>)[name]
    : undefined;
}
