import { WherryError } from '@wherry/core';
import {
  importVerificationKey,
  parseObject,
  readCompactJws,
  verifyCompactSignature,
  type CompactJws,
  type SigningAlgorithm,
  type VerificationKey,
} from '@wherry/tokens';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import type { Clients, RegisteredClient } from '../clients.ts';
import type { UsedOnce } from './used-once.ts';

/** The only value of `client_assertion_type` (RFC 7523 section 2.2). */
export const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/** Options of {@link ClientAssertions}. */
export interface ClientAssertionsOptions {
  readonly clients: Clients;
  readonly used: UsedOnce;
  /** What `aud` may be: the issuer and the URL of the token endpoint. */
  readonly audiences: ReadonlySet<string>;
  /** Epoch ms, the same for all instances. */
  readonly now: () => number;
  readonly skewMs: number;
}

const MAX_LENGTH = 8192;
const CLAIMS_DEPTH = 3;
const MAX_TEXT = 256;
/** How far ahead `exp` may lie: as long is `jti` remembered. */
const LONGEST_S = 600;
/** Types that say nothing or the right thing; one of ours for another purpose, an access token for example, is none (RFC 8725 section 3.11). */
const TYPES = new Set([undefined, 'jwt', 'client-authentication+jwt']);

/** Clients that prove who they are by a JWT of their own (RFC 7523 section 3). Keys come from the configuration alone. */
export class ClientAssertions {
  readonly #options: ClientAssertionsOptions;
  /** Verified with where there is no key, so that the time tells nothing of which clients exist. */
  readonly #decoys: Readonly<Record<SigningAlgorithm, VerificationKey>> = {
    ES256: decoy('ES256', generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' })),
    RS256: decoy('RS256', { kty: 'RSA', e: 'AQAB', n: randomModulus() }),
    EdDSA: decoy('EdDSA', generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' })),
  };

  constructor(options: ClientAssertionsOptions) {
    this.#options = options;
  }

  /**
   * The client that `assertion` proves; it is used up. Errors: `client_unauthenticated`, with the reason only for one
   * whose signature holds; `control_unavailable` where nobody can say whether it was used before.
   */
  async authenticate(assertion: string): Promise<RegisteredClient> {
    const { clients, used, skewMs } = this.#options;
    const jws = assertion.length > MAX_LENGTH ? undefined : readCompactJws(assertion);
    const payload = jws?.ok === true ? parseObject(jws.payload, CLAIMS_DEPTH) : undefined;
    if (jws?.ok !== true || payload === undefined) throw refused('the client assertion is not accepted');
    const { iss, sub } = payload;
    const client = typeof sub === 'string' && iss === sub ? clients.find(sub) : undefined;
    if (!this.#isSigned(jws, client) || client === undefined) throw refused('the client assertion is not accepted');

    const { jti, life } = this.#judge(jws, payload);
    // Last: nobody but the client itself can use one up, or fill the table.
    if (!(await used.use(client.id, jti, life + 2 * skewMs))) throw refused('the client assertion was used before: its jti is not new');
    return client;
  }

  #isSigned(jws: CompactJws, client: RegisteredClient | undefined): boolean {
    const candidates = (client?.keys ?? []).filter(({ kid, alg }) => alg === jws.alg && (jws.kid === undefined || kid === jws.kid));
    const tried = candidates.length === 0 ? [this.#decoys[jws.alg]] : candidates;
    return tried.some((key) => verifyCompactSignature(jws, key)) && candidates.length > 0;
  }

  /** `jti`, and how many milliseconds the assertion may still be used. */
  #judge(
    { typ }: CompactJws,
    { aud, exp, nbf, iat, jti }: Readonly<Record<string, unknown>>,
  ): { readonly jti: string; readonly life: number } {
    const { audiences, now, skewMs } = this.#options;
    if (!TYPES.has(typ?.toLowerCase().replace(/^application\//, ''))) throw refused('the typ of the client assertion is not JWT');
    // One audience only: who else is named could use the assertion here (draft-ietf-oauth-rfc7523bis section 4).
    const audience: unknown = Array.isArray(aud) && aud.length === 1 ? aud[0] : aud;
    if (typeof audience !== 'string' || !audiences.has(audience))
      throw refused('aud of the client assertion is not the issuer or the token endpoint, and that alone');
    const nowMs = now();
    if (!isTime(exp) || exp * 1000 + skewMs <= nowMs) throw refused('the client assertion has expired, or has no exp in whole seconds');
    if (exp * 1000 > nowMs + LONGEST_S * 1000 + skewMs) throw refused(`exp of the client assertion is more than ${LONGEST_S} seconds away`);
    for (const time of [nbf, iat])
      if (time !== undefined && (!isTime(time) || time * 1000 - skewMs > nowMs)) throw refused('the client assertion is of the future');
    if (typeof jti !== 'string' || jti === '' || jti.length > MAX_TEXT)
      throw refused(`the client assertion has no jti of 1 to ${MAX_TEXT} characters`);
    return { jti, life: exp * 1000 - nowMs };
  }
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function decoy(alg: SigningAlgorithm, jwk: object): VerificationKey {
  return importVerificationKey({ ...jwk, kid: 'decoy', alg });
}

/** 2048 bits that nobody knows the factors of, and an RSA key as far as verifying goes; making a true one takes longer than a start should. */
function randomModulus(): string {
  const bytes = randomBytes(256);
  bytes.writeUInt8(bytes.readUInt8(0) | 0x80, 0);
  bytes.writeUInt8(bytes.readUInt8(255) | 1, 255);
  return bytes.toString('base64url');
}

function refused(why: string): WherryError {
  return new WherryError('client_unauthenticated', why);
}
