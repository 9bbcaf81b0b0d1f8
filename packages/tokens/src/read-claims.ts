import type { AccessTokenClaims } from './access-token.ts';
import { parseObject } from './compact-jws.ts';
import type { JsonObject, JsonValue } from './json.ts';

const CLAIMS_DEPTH = 4;
/** Last second of the year 9999; later than that is an attack or a unit mistaken. */
const MAX_NUMERIC_DATE = 253_402_300_799;
const MAX_ID = 0x7fff_ffff_ffff_ffffn;
const MAX_TEXT = 1024;
const DECIMAL_ID = /^[1-9][0-9]{0,18}$/;

/**
 * The claims in a payload, every one with the type that we issue; undefined otherwise. `aud` is one text: this system
 * issues no list, and a token for several audiences is one for none of them. Claims that are not ours are passed over
 * (RFC 7519 section 4).
 */
export function readClaims(payload: Uint8Array): AccessTokenClaims | undefined {
  const object = parseObject(payload, CLAIMS_DEPTH);
  if (object === undefined) return undefined;
  const { iss, aud, sub, userId, authorities, username, client_id, sid, gen, jti, iat, nbf, exp, auth_time } = object as Claims;
  if (!isText(iss) || !isText(aud) || !isText(sub) || !isText(client_id) || !isText(jti)) return undefined;
  if (!isUserId(userId, sub) || !isTexts(authorities) || !isCount(gen)) return undefined;
  if (!isTime(iat) || !isTime(exp) || exp <= iat || !isTime(auth_time)) return undefined;
  if (nbf !== undefined && !isTime(nbf)) return undefined;
  if (username !== undefined && !isText(username)) return undefined;
  if (sid !== undefined && !isSessionId(sid)) return undefined;
  const optional = {
    ...(username === undefined ? {} : { username }),
    ...(sid === undefined ? {} : { sid }),
    ...(nbf === undefined ? {} : { nbf }),
  };
  return Object.freeze({
    iss,
    aud,
    sub,
    userId,
    authorities: Object.freeze(authorities),
    client_id,
    gen,
    jti,
    iat,
    exp,
    auth_time,
    ...optional,
  });
}

type Claims = JsonObject & { readonly [name in keyof AccessTokenClaims]?: JsonValue };

function isText(value: JsonValue | undefined): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= MAX_TEXT;
}

function isTexts(value: JsonValue | undefined): value is string[] {
  return Array.isArray(value) && value.every(isText);
}

function isCount(value: JsonValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isTime(value: JsonValue | undefined): value is number {
  return isCount(value) && value <= MAX_NUMERIC_DATE;
}

/** `userId` and `sub` are one id in two forms; a token in which they differ is two users at once. */
function isUserId(value: JsonValue | undefined, sub: string): value is number | string {
  return typeof value === 'number' ? Number.isSafeInteger(value) && String(value) === sub : value === sub;
}

/** The text of a positive 63-bit id, in its one decimal form: revocations are looked up by this text. */
function isSessionId(value: JsonValue): value is string {
  return typeof value === 'string' && DECIMAL_ID.test(value) && BigInt(value) <= MAX_ID;
}
