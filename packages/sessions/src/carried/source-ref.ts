import type { KeyObject } from 'node:crypto';
import { Sealer } from '@wherry/core';
import type { SessionKey } from '../record.ts';

/**
 * Seals raw carried-over ids, which are bearer secrets, for the place that they are stored in: slot and id of the
 * session. Only the roles that write to the source hold the key; destroying it makes every stored one worthless.
 */
export class SourceRefs {
  readonly #sealer: Sealer;

  /** `key` as `sourceRefKeyOf` derives it. */
  constructor(key: KeyObject) {
    this.#sealer = new Sealer(key);
  }

  /** The sealed form of `rawId`. */
  seal(key: Pick<SessionKey, 'slot' | 'id'>, rawId: string): Buffer {
    return this.#sealer.seal(Buffer.from(rawId, 'utf8'), placeOf(key));
  }

  /** The raw id; `sealed_data_invalid` where it was sealed for another place or key. */
  open(key: Pick<SessionKey, 'slot' | 'id'>, sealed: Uint8Array): string {
    return this.#sealer.open(sealed, placeOf(key)).toString('utf8');
  }
}

function placeOf({ slot, id }: Pick<SessionKey, 'slot' | 'id'>): Buffer {
  const place = Buffer.alloc(12);
  place.writeUInt32BE(slot, 0);
  place.writeBigUInt64BE(id, 4);
  return place;
}
