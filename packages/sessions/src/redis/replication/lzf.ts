/**
 * Unpacks LZF as RDB files hold it (LibLZF by Marc Lehmann, `lzf_d.c`): runs of literals and references into what has been
 * unpacked so far. undefined: it does not come to exactly `length` bytes, or points outside.
 */
export function unpackLzf(packed: Uint8Array, length: number): Buffer | undefined {
  const unpacked = Buffer.alloc(length);
  let to = 0;
  for (let at = 0; at < packed.length;) {
    const control = packed[at++] ?? 0;
    if (control < 32) {
      const literals = control + 1;
      if (at + literals > packed.length || to + literals > length) return undefined;
      unpacked.set(packed.subarray(at, at + literals), to);
      at += literals;
      to += literals;
      continue;
    }
    const long = control >> 5 === 7;
    if (at + (long ? 2 : 1) > packed.length) return undefined;
    const count = (control >> 5) + 2 + (long ? (packed[at++] ?? 0) : 0);
    const from = to - ((control & 0x1f) << 8) - (packed[at++] ?? 0) - 1;
    if (from < 0 || to + count > length) return undefined;
    // One by one: a reference may reach into what it writes itself.
    for (let n = 0; n < count; n++) unpacked[to + n] = unpacked[from + n] ?? 0;
    to += count;
  }
  return to === length ? unpacked : undefined;
}
