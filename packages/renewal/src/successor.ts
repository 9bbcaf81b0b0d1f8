import { createSecretKey, hkdfSync, timingSafeEqual } from 'node:crypto';
import { Sealer, WherryError } from '@wherry/core';
import { digestOf, siblingCredential, type RenewalCredential } from './credential.ts';

/*
 * The successor lies in the row, so that whoever presents the same credential again, on any instance, is answered the
 * same; and it is sealed under a key that follows from the presented secret (HKDF-SHA-256, RFC 5869), of which the row
 * has the digest only, so that the database alone cannot tell it.
 */

/** Seals the secret of `successor` for whoever presents `presented` again. */
export function sealSuccessor(presented: RenewalCredential, successor: RenewalCredential): Buffer {
  return sealerOf(presented).seal(successor.secret, placeOf(presented));
}

/** The successor that was sealed for `presented`, whose digest has to be `digest`. Throws `sealed_data_invalid`. */
export function openSuccessor(presented: RenewalCredential, sealed: Uint8Array, digest: Uint8Array): RenewalCredential {
  const secret = sealerOf(presented).open(sealed, placeOf(presented));
  if (!timingSafeEqual(digestOf(secret), digest))
    throw new WherryError('sealed_data_invalid', 'the sealed successor is not the current one');
  return siblingCredential(presented, secret);
}

function sealerOf(presented: RenewalCredential): Sealer {
  return new Sealer(createSecretKey(Buffer.from(hkdfSync('sha256', presented.secret, placeOf(presented), 'wherry renewal successor', 32))));
}

/** Session and family: what was sealed for one row opens in no other. */
function placeOf({ sessionId, familyId }: RenewalCredential): Buffer {
  const place = Buffer.alloc(16);
  place.writeBigUInt64BE(sessionId, 0);
  place.writeBigUInt64BE(familyId, 8);
  return place;
}
