import { createSignature, newKey, type NewKey, type SigningAlgorithm } from '@wherry/tokens';
import { SignJWT } from 'jose';
import { randomUUID } from 'node:crypto';
import { COMMON } from './service.ts';

/** The value of `client_assertion_type`. */
const JWT_BEARER = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/** A key of a client, and what it signs. */
export interface ClientKey extends NewKey {
  /** The parameters of a request of the client `id`, as a library makes them; members of `claims` replace the usual ones, undefined takes one away. */
  prove(id: string, claims?: Readonly<Record<string, unknown>>, header?: Readonly<Record<string, unknown>>): Promise<Proof>;
  /** Signs whatever it is given. */
  sign(header: string, payload: string): string;
}

/** Parameters that authenticate a client. */
export type Proof = { readonly client_assertion: string; readonly client_assertion_type: string };

/** Makes a key. */
export async function clientKey(alg: SigningAlgorithm): Promise<ClientKey> {
  const key = await newKey(alg);
  return {
    ...key,
    prove: async (id, claims = {}, header = {}) => {
      const now = Math.floor(Date.now() / 1000);
      const payload = { iss: id, sub: id, aud: COMMON.issuer, jti: randomUUID(), iat: now, exp: now + 60, ...claims };
      const token = await new SignJWT(JSON.parse(JSON.stringify(payload)))
        .setProtectedHeader({ alg, kid: key.kid, ...header })
        .sign(key.privateKey);
      return proof(token);
    },
    sign: (header, payload) => {
      const input = [header, payload].map((part) => Buffer.from(part).toString('base64url')).join('.');
      return `${input}.${createSignature(alg, key.privateKey, Buffer.from(input)).toString('base64url')}`;
    },
  };
}

/** The parameters that bring an assertion. */
export function proof(assertion: string): Proof {
  return { client_assertion: assertion, client_assertion_type: JWT_BEARER };
}
