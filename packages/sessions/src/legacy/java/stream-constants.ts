/** Type codes (java.io.ObjectStreamConstants). */
export const TC = {
  NULL: 0x70,
  REFERENCE: 0x71,
  CLASSDESC: 0x72,
  OBJECT: 0x73,
  STRING: 0x74,
  ARRAY: 0x75,
  CLASS: 0x76,
  BLOCKDATA: 0x77,
  ENDBLOCKDATA: 0x78,
  RESET: 0x79,
  BLOCKDATALONG: 0x7a,
  EXCEPTION: 0x7b,
  LONGSTRING: 0x7c,
  PROXYCLASSDESC: 0x7d,
  ENUM: 0x7e,
} as const;

/** How a class is written (java.io.ObjectStreamConstants). */
export const SC = {
  WRITE_METHOD: 0x01,
  SERIALIZABLE: 0x02,
  EXTERNALIZABLE: 0x04,
  BLOCK_DATA: 0x08,
} as const;

/** True where a type code begins an object, and no run of bytes or mark. */
export function isNewObject(code: number): boolean {
  return (
    code >= TC.NULL &&
    code <= TC.ENUM &&
    code !== TC.BLOCKDATA &&
    code !== TC.BLOCKDATALONG &&
    code !== TC.ENDBLOCKDATA &&
    code !== TC.RESET
  );
}
