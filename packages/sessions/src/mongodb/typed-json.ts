import { BSON } from 'mongodb';
import { mapMembers, ownName, wrapperOf, type Json } from '../legacy/mongo/typed-json.ts';

const { EJSON } = BSON;
const INT32 = 0x8000_0000;

/**
 * A document of MongoDB as JSON, by the canonical form of Extended JSON v2 with one exception: a number that a
 * JavaScript program would store as the same type is a plain number. Where a member's own name begins with "$", one more
 * stands before it, so that no data is taken for a wrapper. `value` comes with its types kept apart (`promoteValues: false`).
 */
export function toTypedJson(value: unknown): Json {
  if (value === undefined) return { $undefined: true };
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value !== 'object') return null;
  if (Array.isArray(value)) return value.map(toTypedJson);
  if (value instanceof Date) return { $date: { $numberLong: String(value.getTime()) } };
  switch (bsonTypeOf(value)) {
    case undefined:
      return members(value);
    case 'DBRef':
      // A reference is a document whose first member is called "$ref", and nothing else.
      return members((value as { toJSON(): object }).toJSON());
    case 'Int32':
      return Number(value.valueOf());
    case 'Double':
      return double(Number(value.valueOf()));
    default:
      return EJSON.serialize(value, { relaxed: false });
  }
}

/** The document that {@link toTypedJson} made JSON of. What is no wrapper of its own is data. Throws where a wrapper holds what it cannot. */
export function fromTypedJson(json: Json): unknown {
  if (typeof json !== 'object' || json === null) return json;
  if (Array.isArray(json)) return json.map(fromTypedJson);
  if (wrapperOf(json) !== undefined) return EJSON.deserialize(json, { relaxed: false });
  return mapMembers(json, ownName, fromTypedJson);
}

/** A JavaScript program stores whole numbers of 32 bits as such: a double that is one has its type with it. */
function double(value: number): Json {
  const isInt32 = Number.isInteger(value) && value >= -INT32 && value < INT32;
  if (Number.isFinite(value) && !isInt32) return value;
  return { $numberDouble: Object.is(value, -0) ? '-0.0' : String(value) };
}

function members(value: object): Json {
  return mapMembers(value, (name) => (name.startsWith('$') ? `$${name}` : name), toTypedJson);
}

function bsonTypeOf(value: object): unknown {
  return '_bsontype' in value ? value._bsontype : undefined;
}
