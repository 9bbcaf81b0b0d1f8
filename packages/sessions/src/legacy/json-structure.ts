import { isUtf8 } from 'node:buffer';
import { depthWithin } from './json-depth.ts';
import { StructureFault, type StructureLimits } from './structure-decoder.ts';

/** A JSON object from its bytes. Throws {@link StructureFault}. */
export function jsonStructure(bytes: Buffer, { maxDepth }: Pick<StructureLimits, 'maxDepth'>): object {
  if (!isUtf8(bytes)) throw new StructureFault('not_json', 'the bytes are no UTF-8');
  const text = bytes.toString('utf8');
  if (!depthWithin(text, maxDepth)) throw new StructureFault('too_deep', `nested deeper than ${maxDepth}`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's own message quotes the text, so it goes no further.
    throw new StructureFault('not_json', 'the text is no JSON (RFC 8259)');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new StructureFault('not_a_session', 'the JSON is no object');
  return value;
}
