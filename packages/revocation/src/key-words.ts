/**
 * The two 32-bit words under which a text is held in a {@link PackedTable}, written to `into`; false: the text is
 * none that could ever be held. Called for every look-up, so it makes no objects.
 */
export type KeyWords = (text: string, into: Uint32Array) => boolean;

const ZERO = 48;
const NINE = 57;
/** Decimal digits of the low word: 10^9 fits in 30 bits, which leaves two for what the high word cannot hold. */
const LOW_DIGITS = 9;
const LONGEST_ID = 19;
const TWO_32 = 0x1_0000_0000;

/** The words of a decimal id below 10^19 without leading zeros: two ids never share them. */
export function idWords(text: string, into: Uint32Array): boolean {
  const { length } = text;
  if (length === 0 || length > LONGEST_ID || (length > 1 && text.charCodeAt(0) === ZERO)) return false;
  let high = 0;
  let low = 0;
  const border = length - LOW_DIGITS;
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code < ZERO || code > NINE) return false;
    if (i < border) high = high * 10 + (code - ZERO);
    else low = low * 10 + (code - ZERO);
  }
  into[0] = high;
  into[1] = low + Math.floor(high / TWO_32) * 0x4000_0000;
  return true;
}

/**
 * The words of any text: a 64-bit hash (steps and finisher after MurmurHash3) under a seed of this process's own, so
 * that nobody outside can look for texts that meet. Two of a million texts do with a chance of 1 in 10^7.
 */
export function hashWords(seed: readonly [number, number]): KeyWords {
  return (text, into) => {
    let a = seed[0];
    let b = seed[1];
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      a = rotated(a ^ scrambled(code, 0xcc9e_2d51, 0x1b87_3593), 13);
      a = (Math.imul(a, 5) + 0xe654_6b64) | 0;
      b = rotated(b ^ scrambled(code + a, 0x239b_961b, 0x38b3_4ae5), 17);
      b = (Math.imul(b, 5) + 0x561c_cd1b) | 0;
    }
    into[0] = finished(a ^ text.length);
    into[1] = finished(b + a);
    return true;
  };
}

/** Ids by their digits, any other text by its hash. */
export function userWords(seed: readonly [number, number]): KeyWords {
  const hashed = hashWords(seed);
  return (text, into) => idWords(text, into) || hashed(text, into);
}

/** Where a pair of words begins to look for its place. */
export function placeOf(first: number, second: number, seed: number): number {
  return finished(Math.imul(first ^ seed, 0x9e37_79b1) + second);
}

function scrambled(value: number, one: number, two: number): number {
  return Math.imul(rotated(Math.imul(value, one), 15), two);
}

function rotated(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

function finished(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85eb_ca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2_ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
