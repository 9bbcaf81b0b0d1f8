/** How many parts the key space has. A slot is the top 14 bits of a mix of the id, so it follows from a token alone. */
export const SLOT_COUNT = 16_384;

const MASK = 0xffff_ffff_ffff_ffffn;
const SLOT_SHIFT = 50n;

/**
 * The slot of a primary key: top 14 bits of a fixed 64-bit mix (the finaliser of MurmurHash3, which reaches full
 * avalanche), so that ids with a time in their high bits spread evenly. Fixed for ever; golden vectors guard it.
 */
export function slotOf(id: bigint): number {
  let x = id & MASK;
  x = ((x ^ (x >> 33n)) * 0xff51_afd7_ed55_8ccdn) & MASK;
  x = ((x ^ (x >> 33n)) * 0xc4ce_b9fe_1a85_ec53n) & MASK;
  x ^= x >> 33n;
  return Number(x >> SLOT_SHIFT);
}
