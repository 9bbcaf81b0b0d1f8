import { inflateSync } from 'node:zlib';
import { StructureFault, tooLarge, type StructureLimits } from './structure-decoder.ts';

/** What zlib packed (RFC 1950), up to the limit on bytes: what unpacks to more is refused before it is held. Throws {@link StructureFault}. */
export function inflated(bytes: Buffer, limits: Pick<StructureLimits, 'maxBytes'>): Buffer {
  try {
    return inflateSync(bytes, { maxOutputLength: limits.maxBytes });
  } catch (error) {
    if (error instanceof RangeError) throw tooLarge(limits);
    throw new StructureFault('malformed', 'what zlib packed is broken');
  }
}
