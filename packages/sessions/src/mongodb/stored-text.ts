import { BSON, type BSONSerializeOptions } from 'mongodb';
import { depthWithin } from '../legacy/json-depth.ts';
import { wrapperOf, type Json } from '../legacy/mongo/typed-json.ts';
import { fromTypedJson, toTypedJson } from './typed-json.ts';

/** Reads documents with every type as it is stored. */
export const TYPES_KEPT: BSONSerializeOptions = {
  promoteValues: false,
  promoteLongs: false,
  promoteBuffers: false,
  useBigInt64: false,
  bsonRegExp: true,
  raw: false,
};

/** The deepest nesting that MongoDB takes. */
const MAX_DEPTH = 100;

/** The text that stands for a session which an application gives to connect-mongo to be kept as a document: what is stored of it, types included. */
export function toStoredText(session: object, options: BSONSerializeOptions = {}): string {
  const bytes = BSON.serialize(session, {
    ignoreUndefined: options.ignoreUndefined ?? false,
    serializeFunctions: options.serializeFunctions ?? false,
  });
  return documentText(BSON.deserialize(bytes, TYPES_KEPT));
}

/** The session that an application gets of such a text from connect-mongo, by the options of its client. Errors: whatever BSON cannot hold. */
export function fromStoredText(text: string, options: BSONSerializeOptions = {}): object {
  const document = fromTypedJson(JSON.parse(text) as Json) as object;
  return BSON.deserialize(BSON.serialize(document), { ...options, raw: false });
}

/** What is stored, a document as a rule, as text. */
export function documentText(document: unknown): string {
  return JSON.stringify(toTypedJson(document));
}

/** The document that a text stands for; undefined: it stands for none. */
export function documentOf(text: string): object | undefined {
  if (!text.startsWith('{') || !depthWithin(text, MAX_DEPTH)) return undefined;
  try {
    const json = JSON.parse(text) as object;
    return wrapperOf(json) === undefined ? (fromTypedJson(json as Json) as object) : undefined;
  } catch {
    return undefined;
  }
}
