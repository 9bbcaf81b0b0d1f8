import { decodeBase64url } from './base64url.ts';
import { parseStrictJson, type JsonObject, type JsonValue } from './json.ts';
import { isSigningAlgorithm, type SigningAlgorithm, type VerificationKey } from './key-source.ts';
import { refused, type Refused } from './refusal.ts';
import { verifySignature } from './signature.ts';

/** A JWS in compact form (RFC 7515 section 7.1), taken apart but not yet believed. */
export interface CompactJws {
  readonly ok: true;
  readonly alg: SigningAlgorithm;
  readonly kid: string | undefined;
  readonly typ: string | undefined;
  readonly payload: Buffer;
  readonly signature: Buffer;
  /** What is signed: the first two segments with their dot. */
  readonly signingInput: Buffer;
}

/** Longest key id in characters. */
export const MAX_KID_LENGTH = 128;
const MAX_TYP_LENGTH = 64;
const HEADER_DEPTH = 2;
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The parts of any compact JWS, its header read and nothing believed. */
export interface JwsParts {
  readonly header: JsonObject;
  readonly payload: Buffer;
  readonly signature: Buffer;
  readonly signingInput: Buffer;
}

/** Exactly three segments of canonical base64url, the first an object of strict JSON; otherwise, which of the two is wrong. */
export function splitCompactJws(text: string, headerDepth: number): JwsParts | 'form' | 'header' {
  const first = text.indexOf('.');
  const second = text.indexOf('.', first + 1);
  if (first < 0 || second < 0 || text.includes('.', second + 1)) return 'form';
  const headerBytes = decodeBase64url(text.slice(0, first));
  const payload = decodeBase64url(text.slice(first + 1, second));
  const signature = decodeBase64url(text.slice(second + 1));
  if (headerBytes === undefined || payload === undefined || signature === undefined) return 'form';
  const header = parseObject(headerBytes, headerDepth);
  if (header === undefined) return 'header';
  return { header, payload, signature, signingInput: Buffer.from(text.slice(0, second), 'latin1') };
}

/**
 * Takes a compact JWS apart: exactly three segments of canonical base64url, a header of strict JSON whose only members
 * are `alg`, `kid` and `typ`. So `crit` and `b64` (RFC 7797), and keys that come with the token (`jwk`, `jku`, `x5u`,
 * `x5c`, `x5t`), are refused by construction rather than one by one.
 */
export function readCompactJws(token: string): CompactJws | Refused {
  const parts = splitCompactJws(token, HEADER_DEPTH);
  if (parts === 'form') return refused('token_malformed');
  if (parts === 'header') return refused('token_header_invalid');
  const { header, payload, signature, signingInput } = parts;
  for (const name in header) if (name !== 'alg' && name !== 'kid' && name !== 'typ') return refused('token_header_invalid');
  const { alg, kid, typ } = header as { alg?: JsonValue; kid?: JsonValue; typ?: JsonValue };
  if (typeof alg !== 'string' || !isTextUpTo(kid, MAX_KID_LENGTH) || !isTextUpTo(typ, MAX_TYP_LENGTH))
    return refused('token_header_invalid');
  if (!isSigningAlgorithm(alg)) return refused('token_algorithm_refused');
  return { ok: true, alg, kid, typ, payload, signature, signingInput };
}

/** True when the JWS was signed with the private part of `key`, by the algorithm that the key is bound to (RFC 8725 section 3.1). */
export function verifyCompactSignature(jws: CompactJws, key: VerificationKey): boolean {
  return jws.alg === key.alg && verifySignature(key, jws.signingInput, jws.signature);
}

/** An object of strict JSON in UTF-8; undefined for anything else. */
export function parseObject(bytes: Uint8Array, maxDepth: number): JsonObject | undefined {
  let text: string;
  try {
    text = UTF8.decode(bytes);
  } catch {
    return undefined;
  }
  const value = parseStrictJson(text, { maxDepth });
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
}

function isTextUpTo(value: JsonValue | undefined, length: number): value is string | undefined {
  return value === undefined || (typeof value === 'string' && value.length > 0 && value.length <= length);
}
