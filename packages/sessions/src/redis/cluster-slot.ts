/** Slots of a Redis Cluster. */
export const CLUSTER_SLOTS = 16_384;

const POLYNOMIAL = 0x1021;
const TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ POLYNOMIAL : crc << 1;
  return crc & 0xffff;
});

/** What of a key decides its slot: between its first `{` and the first `}` after it, where something stands there; else all of it. */
export function hashTag(key: string): string | undefined {
  const open = key.indexOf('{');
  const close = open < 0 ? -1 : key.indexOf('}', open + 1);
  return close > open + 1 ? key.slice(open + 1, close) : undefined;
}

/** The slot of a key: CRC-16/XMODEM of its hash tag, or of all of it (Redis cluster specification, "key distribution model"). */
export function clusterSlot(key: string, encoding: 'utf8' | 'latin1' = 'utf8'): number {
  let crc = 0;
  for (const byte of Buffer.from(hashTag(key) ?? key, encoding)) crc = ((crc << 8) & 0xffff) ^ (TABLE[((crc >> 8) ^ byte) & 0xff] ?? 0);
  return crc % CLUSTER_SLOTS;
}

let tags: readonly string[] | undefined;

/** A hash tag that leads into `slot`: always the same one. */
export function tagOfSlot(slot: number): string {
  tags ??= makeTags();
  return tags[slot] ?? '';
}

/** The first number for each slot, counted in base 36: made once, and only where a key needs one. */
function makeTags(): string[] {
  const found: string[] = [];
  for (let number = 0, left = CLUSTER_SLOTS; left > 0; number++) {
    const tag = number.toString(36);
    const slot = clusterSlot(tag);
    if (found[slot] !== undefined) continue;
    found[slot] = tag;
    left--;
  }
  return found;
}
