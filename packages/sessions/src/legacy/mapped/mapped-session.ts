import type { SessionDecoder } from '../../source/decoder.ts';
import type { DecoderOptions } from '../format.ts';
import { jsonStructure } from '../json-structure.ts';
import { readPhpSession } from '../php/php-session.ts';
import { pickledSession } from '../python/pickled-session.ts';
import { structureDecoder, textDecoder, type Structure, type StructureLimits } from '../structure-decoder.ts';
import { pathsOf, type SessionMapping } from './mapping.ts';
import { msgpackSession } from './msgpack.ts';
import { timesOf } from './times.ts';
import { urlencodedSession } from './urlencoded.ts';

/** Makes the decoder of sessions as a mapping describes them. Errors: `config_invalid` for a mapping that cannot be meant. */
export function mappedDecoder(mapping: SessionMapping, options: DecoderOptions): SessionDecoder {
  const paths = pathsOf(mapping);
  const read = (bytes: Buffer, limits: StructureLimits): Structure => {
    const tree = treeOf(mapping.value, bytes, limits);
    return { tree, ...timesOf(tree, paths, mapping) };
  };
  return mapping.value === 'json' ? textDecoder(options, read) : structureDecoder(options, read);
}

function treeOf(value: SessionMapping['value'], bytes: Buffer, limits: StructureLimits): object {
  switch (value) {
    case 'json':
      return jsonStructure(bytes, limits);
    case 'msgpack':
      return msgpackSession(bytes, limits);
    case 'php':
    case 'php_serialize':
    case 'php_binary':
      return readPhpSession(value, bytes, limits);
    case 'pickle':
      return pickledSession(bytes, limits);
    case 'urlencoded':
      return urlencodedSession(bytes, limits);
  }
}
