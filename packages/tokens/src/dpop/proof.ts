import { createHash } from 'node:crypto';
import { isWherryError, systemClock, type Clock, type ErrorCode } from '@wherry/core';
import { parseObject, splitCompactJws } from '../compact-jws.ts';
import { decodeBase64url } from '../base64url.ts';
import type { JsonObject, JsonValue } from '../json.ts';
import { importPublicKey, jwkThumbprint } from '../jwk.ts';
import { isSigningAlgorithm, type SigningAlgorithm } from '../key-source.ts';
import { verifySignature } from '../signature.ts';
import type { DpopNonces } from './nonces.ts';
import type { ProofMemory } from './proof-memory.ts';
import { normaliseTargetUri } from './target-uri.ts';

/** The request that a proof came with. */
export interface DpopRequest {
  /** The values of all its `DPoP` headers; more or fewer than one are refused. */
  readonly proofs: readonly string[];
  readonly method: string;
  /** Absolute, as the client addressed it; from configuration rather than from a header that the client writes. */
  readonly url: string;
  /** The access token that came along, and the key that it is bound to; absent at the token endpoint. */
  readonly accessToken?: { readonly token: string; readonly jkt: string };
}

/** Options of {@link verifyDpopProof}. */
export interface DpopOptions {
  /** One for the process. */
  readonly memory: ProofMemory;
  /** Present: a proof needs a nonce of these. */
  readonly nonces?: DpopNonces;
  /** How old a proof may be, seconds; default 60. */
  readonly maxAgeS?: number;
  /** How far the client's clock may be ahead, seconds; default 30. */
  readonly skewS?: number;
  readonly clock?: Clock;
}

/** A proof that holds: whoever sent the request has the private key. */
export interface DpopProof {
  readonly ok: true;
  /** Thumbprint of the key (RFC 7638), for `cnf`. */
  readonly jkt: string;
  /** Of this proof alone, for a memory that instances share. */
  readonly id: string;
  /** Until then it has to be remembered, epoch milliseconds. */
  readonly usableUntil: number;
}

/** Why a proof was refused. Each is an error code. */
export type DpopRefusalReason = Extract<ErrorCode, `dpop_${string}`>;

/** A proof that was refused. `dpop_nonce_required` is answered with a nonce. */
export interface DpopRefused {
  readonly ok: false;
  readonly reason: DpopRefusalReason;
  readonly status: 401;
}

const MAX_PROOF_LENGTH = 4096;
/** The key is an object in the header, and its operations a list in that. */
const HEADER_DEPTH = 3;
const PAYLOAD_DEPTH = 4;
const MAX_TEXT = 1024;
/** A key of a stranger is checked at every request: 4096 bits at the most. */
const MAX_MODULUS_BYTES = 512;
const HEADER_MEMBERS = ['typ', 'alg', 'jwk'];
/** What a public key consists of and may say of itself; browsers add `ext` and `key_ops`. */
const JWK_MEMBERS = ['kty', 'crv', 'x', 'y', 'n', 'e', 'alg', 'use', 'kid', 'key_ops', 'ext'];

/**
 * Judges the proof of possession of a request by all twelve checks of RFC 9449 section 4.3. Synchronous, from memory,
 * and never throws. What costs least is asked first; the proof is remembered last, when nothing else is wrong, so that
 * only holders of a sound proof (and, where there is a token, of its key) fill the memory.
 */
export function verifyDpopProof(request: DpopRequest, options: DpopOptions): DpopProof | DpopRefused {
  const [proof, ...others] = request.proofs;
  // (1), (2)
  if (proof === undefined || others.length > 0 || proof.length > MAX_PROOF_LENGTH) return refused('dpop_proof_malformed');
  const parts = splitCompactJws(proof, HEADER_DEPTH);
  if (typeof parts === 'string') return refused('dpop_proof_malformed');
  const header = readHeader(parts.header);
  const claims = readPayload(parts.payload);
  // (3), (4), (5)
  if (header === undefined || claims === undefined) return refused('dpop_proof_malformed');
  // (8), (9)
  const target = normaliseTargetUri(request.url);
  if (claims.htm !== request.method || target === undefined || normaliseTargetUri(claims.htu) !== target)
    return refused('dpop_proof_mismatch');
  // (11)
  const now = Math.floor((options.clock ?? systemClock).now() / 1000);
  const { maxAgeS = 60 } = options;
  const oldest = now - maxAgeS;
  if (claims.iat < oldest || claims.iat > now + (options.skewS ?? 30)) return refused('dpop_proof_untimely');
  // (12)
  const jkt = jwkThumbprint(header.jwk);
  if (request.accessToken !== undefined) {
    if (claims.ath !== accessTokenHash(request.accessToken.token)) return refused('dpop_proof_mismatch');
    if (jkt !== request.accessToken.jkt) return refused('dpop_key_wrong');
  }
  // (7), (6)
  const key = importForeignKey(header.jwk, header.alg);
  if (key === undefined) return refused('dpop_key_invalid');
  if (!verifySignature({ kid: jkt, alg: header.alg, ...key }, parts.signingInput, parts.signature))
    return refused('dpop_signature_invalid');
  // (10)
  if (options.nonces !== undefined && !(claims.nonce !== undefined && options.nonces.accepts(claims.nonce)))
    return refused('dpop_nonce_required');
  const id = proofId(jkt, claims.jti);
  switch (options.memory.take(id, claims.iat, oldest)) {
    case 'first':
      return { ok: true, jkt, id, usableUntil: (claims.iat + maxAgeS + 1) * 1000 };
    case 'repeated':
      return refused('dpop_proof_replayed');
    case 'forgotten':
      return refused('dpop_proof_untimely');
  }
}

/** The claim `ath` for an access token (RFC 9449 section 4.2). */
function accessTokenHash(token: string): string {
  return createHash('sha256').update(token, 'latin1').digest('base64url');
}

/** Ids are the client's own choice; by their digest they are of one size, and none can stand for one of another key. */
function proofId(jkt: string, jti: string): string {
  return createHash('sha256').update(`${jkt}.${jti}`, 'utf8').digest('base64url').slice(0, 22);
}

function readHeader(header: JsonObject): { readonly alg: SigningAlgorithm; readonly jwk: JsonObject } | undefined {
  const { typ, alg, jwk } = header as { typ?: JsonValue; alg?: JsonValue; jwk?: JsonValue };
  if (typ !== 'dpop+jwt' || !isSigningAlgorithm(alg) || Object.keys(header).length !== HEADER_MEMBERS.length) return undefined;
  if (typeof jwk !== 'object' || jwk === null || Array.isArray(jwk)) return undefined;
  return { alg, jwk };
}

interface ProofClaims {
  readonly jti: string;
  readonly htm: string;
  readonly htu: string;
  readonly iat: number;
  readonly ath: string | undefined;
  readonly nonce: string | undefined;
}

function readPayload(payload: Uint8Array): ProofClaims | undefined {
  const { jti, htm, htu, iat, ath, nonce } = (parseObject(payload, PAYLOAD_DEPTH) ?? {}) as { [name in keyof ProofClaims]?: JsonValue };
  if (!isText(jti) || !isText(htm) || !isText(htu)) return undefined;
  if (typeof iat !== 'number' || !Number.isSafeInteger(iat) || iat < 0) return undefined;
  if (!(ath === undefined || isText(ath)) || !(nonce === undefined || isText(nonce))) return undefined;
  return { jti, htm, htu, iat, ath, nonce };
}

function isText(value: JsonValue | undefined): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= MAX_TEXT;
}

function importForeignKey(jwk: JsonObject, alg: SigningAlgorithm): ReturnType<typeof importPublicKey> | undefined {
  if (!Object.keys(jwk).every((name) => JWK_MEMBERS.includes(name))) return undefined;
  if (jwk['alg'] !== undefined && jwk['alg'] !== alg) return undefined;
  const modulus = jwk['n'];
  if (typeof modulus === 'string' && (decodeBase64url(modulus)?.length ?? Infinity) > MAX_MODULUS_BYTES) return undefined;
  try {
    return importPublicKey(jwk, alg);
  } catch (error) {
    if (isWherryError(error, 'signing_key_invalid')) return undefined;
    throw error;
  }
}

const REFUSALS = new Map<DpopRefusalReason, DpopRefused>();

/** The refusal for a reason, always the same object. */
function refused(reason: DpopRefusalReason): DpopRefused {
  const refusal = REFUSALS.get(reason) ?? Object.freeze({ ok: false, reason, status: 401 });
  REFUSALS.set(reason, refusal);
  return refusal;
}
