/** The number in a field of a session's times, in either serialisation. */
export function plainNumber(field: Buffer): number {
  if (field[0] !== 0xac) return Number(field.toString());
  return field.includes('java.lang.Long') ? Number(field.readBigInt64BE(field.length - 8)) : field.readInt32BE(field.length - 4);
}
