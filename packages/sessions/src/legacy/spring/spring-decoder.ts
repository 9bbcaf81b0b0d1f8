import type { SessionDecoder, Undecodable } from '../../source/decoder.ts';
import { parsePath, valueAt } from '../attribute-path.ts';
import type { DecoderOptions } from '../format.ts';
import { IdentityFault, checkIdentity, identityOf } from '../identity-mapping.ts';
import { readJavaObject } from '../java/object-stream.ts';
import { PlainJava, define } from '../java/plain.ts';
import { depthWithin } from '../json-depth.ts';
import { StructureFault, limitsOf, tooLarge, type StructureLimits } from '../structure-decoder.ts';
import { fieldsOfText } from './fields-text.ts';
import { ATTRIBUTE_PREFIX, CREATION_TIME, MAX_INACTIVE_INTERVAL, PRINCIPAL_NAME, SECURITY_CONTEXT, type SpringFields } from './layout.ts';
import { enrichPrincipal } from './principal.ts';
import { plainOfTyped } from './typed-json.ts';

/** The outcome of one decoding. */
type Decoding = ReturnType<SessionDecoder>;

/** Of text for a byte of a field, in JSON: an escape of six characters. */
const MOST_TEXT = 6;
const JAVA_MAGIC = 0xaced;
const AUTHENTICATION_NAME = parsePath('authentication.name');

/**
 * Makes the decoder of what Spring Session 2 and 3 stores in Redis: fields that are serialised by the JDK or as JSON by
 * Jackson, with or without types; each field tells by itself which. Paths of the mapping begin with an attribute's name.
 * `attributes` of the decoded session is the source's text itself, so that the application gets back what it wrote.
 */
export function springDecoder(options: DecoderOptions): SessionDecoder {
  const { identity } = options;
  const limits = limitsOf(options);
  checkIdentity(identity);
  return (value): Decoding => {
    try {
      if (value.length > limits.maxBytes * MOST_TEXT) throw tooLarge(limits);
      const fields = depthWithin(value, 2) ? fieldsOfText(value) : undefined;
      if (fields === undefined) return fault('not_a_session', 'no fields of a session of Spring');
      const bytes = [...fields.values()].reduce((sum, field) => sum + field.length, 0);
      if (bytes > limits.maxBytes) throw tooLarge(limits);
      const [createTime, seconds] = [numberIn(fields, CREATION_TIME, limits), numberIn(fields, MAX_INACTIVE_INTERVAL, limits)];
      if (createTime === undefined || seconds === undefined) return fault('not_a_session', 'its times are no numbers');
      const tree = attributesOf(fields, limits);
      const idleMs = seconds < 0 ? null : seconds * 1000;
      return { ok: true, session: { ...identityOf(tree, identity), attributes: value, idleMs, createTime, tree } };
    } catch (error) {
      if (error instanceof StructureFault) return fault(error.reason, error.message);
      if (error instanceof IdentityFault) return fault('identity_invalid', error.message);
      throw error;
    }
  };
}

/** The name by which Spring's index finds the session's user, as far as that is known; undefined: none, or nobody can tell. */
export function indexedNameOf(fields: SpringFields): string | undefined {
  const limits = limitsOf({});
  try {
    const named = plainOfField(fields, `${ATTRIBUTE_PREFIX}${PRINCIPAL_NAME}`, limits);
    if (typeof named === 'string') return named;
    const context = plainOfField(fields, `${ATTRIBUTE_PREFIX}${SECURITY_CONTEXT}`, limits);
    const name = valueAt(context, AUTHENTICATION_NAME);
    return typeof name === 'string' ? name : undefined;
  } catch (error) {
    if (error instanceof StructureFault) return undefined;
    throw error;
  }
}

function attributesOf(fields: SpringFields, limits: StructureLimits): Record<string, unknown> {
  const attributes: Record<string, unknown> = {};
  for (const name of fields.keys()) {
    if (!name.startsWith(ATTRIBUTE_PREFIX)) continue;
    define(attributes, name.slice(ATTRIBUTE_PREFIX.length), plainOfField(fields, name, limits));
  }
  return attributes;
}

/** An empty field is the JDK serialiser's null. */
function plainOfField(fields: SpringFields, name: string, limits: StructureLimits): unknown {
  const bytes = fields.get(name);
  if (bytes === undefined) return undefined;
  if (bytes.length === 0) return null;
  if (bytes.length >= 2 && bytes.readUInt16BE(0) === JAVA_MAGIC) return plainOfJava(bytes, limits);
  const text = bytes.toString('utf8');
  if (!depthWithin(text, limits.maxDepth)) throw new StructureFault('too_deep', `nested deeper than ${limits.maxDepth}`);
  return plainOfTyped(parse(text), enrichPrincipal);
}

function plainOfJava(bytes: Buffer, limits: StructureLimits): unknown {
  return new PlainJava(limits, enrichPrincipal).plain(readJavaObject(bytes, limits));
}

/** The parser's own message quotes the text, so it goes no further. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new StructureFault('malformed', 'a field is neither a Java stream nor JSON');
  }
}

function numberIn(fields: SpringFields, name: string, limits: StructureLimits): number | undefined {
  const value = plainOfField(fields, name, limits);
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : undefined;
}

function fault(reason: Undecodable['reason'], detail: string): Decoding {
  return { ok: false, why: { reason, detail } };
}
