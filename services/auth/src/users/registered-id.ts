const REGISTERED_ID = /^[1-9]\d{0,18}$/;
const MAX_ID = 0x7fff_ffff_ffff_ffffn;

/** The id of a user who may be registered here; undefined: he is not. */
export function registeredId(userId: string): bigint | undefined {
  if (!REGISTERED_ID.test(userId)) return undefined;
  const id = BigInt(userId);
  return id <= MAX_ID ? id : undefined;
}
