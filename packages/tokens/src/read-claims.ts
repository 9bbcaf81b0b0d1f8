import {
  MAX_ACTORS,
  MAX_AUDIENCES,
  isServiceSubject,
  serviceSubject,
  type AccessTokenClaims,
  type ActorClaim,
  type ConfirmationClaim,
} from './access-token.ts';
import { decodeBase64url } from './base64url.ts';
import { parseObject } from './compact-jws.ts';
import type { JsonObject, JsonValue } from './json.ts';

/** The payload and as many actors within each other as there may be. */
const CLAIMS_DEPTH: number = 1 + MAX_ACTORS;
/** Last second of the year 9999; later than that is an attack or a unit mistaken. */
const MAX_NUMERIC_DATE = 253_402_300_799;
const MAX_ID = 0x7fff_ffff_ffff_ffffn;
const MAX_TEXT = 1024;
const DECIMAL_ID = /^[1-9][0-9]{0,18}$/;
/** RFC 6749 section 3.3. */
const SCOPE = /^[!#-[\]-~]+(?: [!#-[\]-~]+)*$/;
const THUMBPRINT_BYTES = 32;

/** What a payload says, of whatever types, proved or not; undefined: it has no form to say anything in. */
export function readUnproved(payload: Uint8Array): JsonObject | undefined {
  return parseObject(payload, CLAIMS_DEPTH);
}

/**
 * The claims in a payload, every one with the type that we issue; undefined otherwise. Claims that are not ours are
 * passed over (RFC 7519 section 4), but not what stands within `cnf` and `act`: a token bound to something that nobody
 * here can check would be believed of whoever brings it.
 */
export function readClaims(payload: Uint8Array): AccessTokenClaims | undefined {
  const object = readUnproved(payload);
  if (object === undefined) return undefined;
  const { iss, aud, sub, userId, authorities, username, client_id, sid, fam, gen, jti, iat, nbf, exp, auth_time, scope, act, cnf } =
    object as Claims;
  if (!isText(iss) || !isAudience(aud) || !isText(sub) || !isText(client_id) || !isText(jti)) return undefined;
  if (!isUserId(userId, sub) || !isTexts(authorities) || !isCount(gen)) return undefined;
  if (!isTime(iat) || !isTime(exp) || exp <= iat || !isTime(auth_time)) return undefined;
  if (nbf !== undefined && !isTime(nbf)) return undefined;
  if (username !== undefined && !isText(username)) return undefined;
  if (sid !== undefined && !isRowId(sid)) return undefined;
  if (fam !== undefined && !isRowId(fam)) return undefined;
  if (isServiceSubject(sub) && !(sub === serviceSubject(client_id) && sid === undefined && fam === undefined && username === undefined))
    return undefined;
  if (scope !== undefined && !(isText(scope) && SCOPE.test(scope))) return undefined;
  if (act !== undefined && !isActor(act)) return undefined;
  if (cnf !== undefined && !isConfirmation(cnf)) return undefined;
  const optional = {
    ...(username === undefined ? {} : { username }),
    ...(sid === undefined ? {} : { sid }),
    ...(fam === undefined ? {} : { fam }),
    ...(nbf === undefined ? {} : { nbf }),
    ...(scope === undefined ? {} : { scope }),
    ...(act === undefined ? {} : { act: frozen(act) }),
    ...(cnf === undefined ? {} : { cnf: Object.freeze(cnf) }),
  };
  return Object.freeze({
    iss,
    aud: typeof aud === 'string' ? aud : Object.freeze(aud),
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

function isAudience(value: JsonValue | undefined): value is string | string[] {
  if (!Array.isArray(value)) return isText(value);
  return value.length > 0 && value.length <= MAX_AUDIENCES && isTexts(value) && new Set(value).size === value.length;
}

/** The depth of the JSON bounds how many actors there are within each other. */
function isActor(value: JsonValue): value is JsonObject & ActorClaim {
  if (!isObjectOf(value, ['sub', 'client_id', 'act'])) return false;
  const { sub, client_id, act } = value as { sub?: JsonValue; client_id?: JsonValue; act?: JsonValue };
  return isText(sub) && (client_id === undefined || isText(client_id)) && (act === undefined || isActor(act));
}

function isConfirmation(value: JsonValue): value is JsonObject & ConfirmationClaim {
  if (!isObjectOf(value, ['jkt'])) return false;
  const { jkt } = value as { jkt?: JsonValue };
  return typeof jkt === 'string' && decodeBase64url(jkt)?.length === THUMBPRINT_BYTES;
}

/** True for an object with no other members than these. */
function isObjectOf(value: JsonValue, names: readonly string[]): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).every((name) => names.includes(name));
}

function frozen(actor: ActorClaim): ActorClaim {
  if (actor.act !== undefined) frozen(actor.act);
  return Object.freeze(actor);
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
function isRowId(value: JsonValue): value is string {
  return typeof value === 'string' && DECIMAL_ID.test(value) && BigInt(value) <= MAX_ID;
}
