import type { SessionDecoder } from '../../source/decoder.ts';
import { expressJsonDecoder } from '../express/express-json.ts';
import type { DecoderOptions } from '../format.ts';
import { withoutTypes, type Json } from './typed-json.ts';

/**
 * Makes the decoder of what connect-mongo stores: JSON text as express-session writes it, or a document as the source
 * hands it over, JSON with wrappers for the types that JSON has not. A path of the mapping leads to what a wrapper holds:
 * to the hexadecimal text of an ObjectId, to the number of a Long.
 */
export function mongoSessionDecoder(options: DecoderOptions): SessionDecoder {
  const decode = expressJsonDecoder(options);
  return (value) => {
    const asText = decode(value);
    // Only wrappers and escaped names begin so; most texts have none.
    if (!value.includes('"$')) return asText;
    // What is too large, too deep or no JSON is so in either layout, and goes no further.
    if (!asText.ok && asText.why.reason !== 'identity_invalid' && asText.why.reason !== 'not_a_session') return asText;
    const tree = withoutTypes(JSON.parse(value) as Json);
    const plain = decode(JSON.stringify(tree));
    return plain.ok ? { ok: true, session: { ...plain.session, attributes: value, tree: tree as object } } : plain;
  };
}
