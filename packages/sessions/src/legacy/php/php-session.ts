import { isUtf8 } from 'node:buffer';
import type { SessionDecoder } from '../../source/decoder.ts';
import type { DecoderOptions } from '../format.ts';
import { Reference } from '../reference.ts';
import { StructureFault, structureDecoder, type StructureLimits } from '../structure-decoder.ts';
import { PhpUnserializer } from './unserialize.ts';

/** How PHP puts the variables of a session together: the setting `session.serialize_handler`. */
export type PhpHandler = 'php' | 'php_serialize' | 'php_binary';

/**
 * Makes the decoder of what PHP's session handlers write. An empty value is a session without variables.
 */
export function phpSessionDecoder(handler: PhpHandler, options: DecoderOptions): SessionDecoder {
  return structureDecoder(options, (bytes, limits) => ({ tree: readPhpSession(handler, bytes, limits) }));
}

/** The variables of a session. Throws `StructureFault`. */
export function readPhpSession(handler: PhpHandler, bytes: Buffer, limits: StructureLimits): object {
  switch (handler) {
    case 'php':
      return named(bytes, limits, nameBeforeBar);
    case 'php_binary':
      return named(bytes, limits, nameAfterLength);
    case 'php_serialize':
      return serialised(bytes, limits);
  }
}

const BAR = 0x7c;

/** `name|value` after `name|value`. */
function nameBeforeBar(bytes: Buffer, reader: PhpUnserializer): Buffer {
  const bar = bytes.indexOf(BAR, reader.at);
  if (bar < 0) throw notPhp('text follows that is no variable');
  const name = reader.take(bar - reader.at);
  reader.take(1);
  return name;
}

/** A byte with the length of the name, its highest bit for a variable without a value; then name and value. */
function nameAfterLength(_bytes: Buffer, reader: PhpUnserializer): Buffer {
  const length = reader.take(1)[0] ?? 0;
  if (length >= 0x80) throw notPhp('a variable has no value');
  return reader.take(length);
}

function named(bytes: Buffer, limits: StructureLimits, nextName: (bytes: Buffer, reader: PhpUnserializer) => Buffer): object {
  const variables = Object.create(null) as Record<string, unknown>;
  const reader = new PhpUnserializer(bytes, limits);
  while (!reader.done) {
    const name = nextName(bytes, reader);
    if (!isUtf8(name)) throw notPhp('the name of a variable is no text');
    variables[name.toString('utf8')] = reader.value();
  }
  return variables;
}

function serialised(bytes: Buffer, limits: StructureLimits): object {
  if (bytes.length === 0) return Object.create(null) as object;
  const reader = new PhpUnserializer(bytes, limits);
  const isArray = bytes[0] === 0x61;
  const value = reader.value();
  if (!reader.done) throw notPhp('text follows the value');
  if (!isArray || typeof value !== 'object' || value === null || value instanceof Reference)
    throw new StructureFault('not_a_session', 'the value is no array');
  return value;
}

function notPhp(is: string): StructureFault {
  return new StructureFault('malformed', `not as PHP writes a session: ${is}`);
}
