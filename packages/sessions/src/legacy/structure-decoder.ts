import type { SessionDecoder, Undecodable } from '../source/decoder.ts';
import { bytesOfText } from '../source/text-of-bytes.ts';
import type { DecoderOptions } from './format.ts';
import { IdentityFault, checkIdentity, identityOf } from './identity-mapping.ts';

/** Why a value cannot be decoded. Thrown by readers of a form, and by nobody past the decoder. */
export class StructureFault extends Error {
  override readonly name = 'StructureFault';
  readonly reason: Undecodable['reason'];

  /** `detail` says nothing of the content. */
  constructor(reason: Undecodable['reason'], detail: string) {
    super(detail);
    this.reason = reason;
  }
}

/** What a reader of a form may spend. */
export interface StructureLimits {
  /** Bytes, also of what is unpacked on the way. */
  readonly maxBytes: number;
  readonly maxDepth: number;
  /** Values in all. */
  readonly maxNodes: number;
}

/** What a session says, read from its bytes. */
export interface Structure {
  readonly tree: object;
  /** As in the decoded session; absent: none of its own. */
  readonly idleMs?: number | null;
  readonly createTime?: number;
  readonly expireTime?: number;
  readonly expireTimeFixed?: boolean;
}

const MAX_BYTES = 512 * 1024;
const MAX_NODES = 100_000;
/** Of JSON text for a byte: an escape of six characters. */
const MOST_TEXT = 6;

/** The limits that options ask for. */
export function limitsOf({ maxBytes = MAX_BYTES, maxDepth = 32 }: Pick<DecoderOptions, 'maxBytes' | 'maxDepth'>): StructureLimits {
  return { maxBytes, maxDepth, maxNodes: MAX_NODES };
}

/**
 * Makes the decoder of a form whose stores hold bytes. `attributes` of the decoded session is the source's text itself,
 * so that the application gets back what it wrote, to the byte. `read` throws {@link StructureFault} for what it refuses.
 */
export function structureDecoder(options: DecoderOptions, read: (bytes: Buffer, limits: StructureLimits) => Structure): SessionDecoder {
  return decoderOf(options, (value, limits) => {
    if (value.length > limits.maxBytes * MOST_TEXT + 64) throw tooLarge(limits);
    const bytes = bytesOfText(value);
    if (bytes === undefined) throw new StructureFault('malformed', 'the source has not handed over bytes');
    if (bytes.length > limits.maxBytes) throw tooLarge(limits);
    return read(bytes, limits);
  });
}

/** The same of a form whose stores hold text, which is JSON. */
export function textDecoder(options: DecoderOptions, read: (text: Buffer, limits: StructureLimits) => Structure): SessionDecoder {
  return decoderOf(options, (value, limits) => {
    if (value.length > limits.maxBytes) throw tooLarge(limits);
    const text = Buffer.from(value, 'utf8');
    if (text.length > limits.maxBytes) throw tooLarge(limits);
    return read(text, limits);
  });
}

function decoderOf(options: DecoderOptions, read: (value: string, limits: StructureLimits) => Structure): SessionDecoder {
  const { identity } = options;
  const limits = limitsOf(options);
  checkIdentity(identity);
  return (value): ReturnType<SessionDecoder> => {
    try {
      const { idleMs = null, ...structure } = read(value, limits);
      return { ok: true, session: { ...identityOf(structure.tree, identity), ...structure, idleMs, attributes: value } };
    } catch (error) {
      if (error instanceof StructureFault) return { ok: false, why: { reason: error.reason, detail: error.message } };
      if (error instanceof IdentityFault) return { ok: false, why: { reason: 'identity_invalid', detail: error.message } };
      throw error;
    }
  };
}

/** Of more bytes than may be. */
export function tooLarge({ maxBytes }: Pick<StructureLimits, 'maxBytes'>): StructureFault {
  return new StructureFault('too_large', `more than ${maxBytes} bytes`);
}
