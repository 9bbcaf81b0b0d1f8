import { SignJWT, calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose';
import { createHash, randomUUID } from 'node:crypto';

/** A key that a client proves to hold (RFC 9449). */
export interface ProofKey {
  readonly jkt: string;
  readonly jwk: JWK;
  /** The header of a request; members of `claims` replace the usual ones. */
  proof(method: string, url: string, claims?: Readonly<Record<string, unknown>>): Promise<Record<string, string>>;
  /** The headers of a request that brings a token bound to the key. */
  bearing(token: string, method: string, url: string): Promise<Record<string, string>>;
}

/** Makes a key. */
export async function proofKey(): Promise<ProofKey> {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const jwk = await exportJWK(publicKey);
  const proof: ProofKey['proof'] = async (htm, htu, claims = {}) => {
    const payload = { jti: randomUUID(), htm, htu, iat: Math.floor(Date.now() / 1000), ...claims };
    return { dpop: await new SignJWT(payload).setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk }).sign(privateKey) };
  };
  return {
    jwk,
    jkt: await calculateJwkThumbprint(jwk),
    proof,
    bearing: async (token, method, url) => ({
      authorization: `DPoP ${token}`,
      ...(await proof(method, url, { ath: createHash('sha256').update(token).digest('base64url') })),
    }),
  };
}
