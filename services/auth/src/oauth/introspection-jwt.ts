import { createSignature } from '@wherry/tokens';
import type { AuthContext } from '../context.ts';
import type { Introspection } from './introspection.ts';

/** Media type of the signed answer (RFC 9701 section 4). */
export const INTROSPECTION_JWT = 'application/token-introspection+jwt';

/**
 * The answer as a JWT for one client (RFC 9701 section 5). Its `typ` keeps it from being taken for an access token, and
 * it has neither `sub` nor `exp` of its own for the same reason. Errors: `signing_key_unavailable`.
 */
export function introspectionJwt({ keys, oauth, now }: AuthContext, clientId: string, introspection: Introspection): string {
  const { kid, alg, privateKey } = keys.signingKey();
  const payload = { iss: oauth.issuer, aud: clientId, iat: Math.floor(now() / 1000), token_introspection: introspection };
  const input = `${segment({ typ: 'token-introspection+jwt', alg, kid })}.${segment(payload)}`;
  return `${input}.${createSignature(alg, privateKey, Buffer.from(input, 'latin1')).toString('base64url')}`;
}

/** True where the signed answer is wanted more than plain JSON (RFC 9110 section 12.5.1). */
export function wantsJwt(accept: string | undefined): boolean {
  const jwt = qualityOf(accept, INTROSPECTION_JWT);
  return jwt > 0 && jwt >= qualityOf(accept, 'application/json');
}

/** The weight that the header names for exactly this type; 0: none. */
function qualityOf(accept: string | undefined, type: string): number {
  for (const range of (accept ?? '').toLowerCase().split(',')) {
    const [name, ...parameters] = range.split(';').map((part) => part.trim());
    if (name !== type) continue;
    const weight = parameters.find((parameter) => parameter.startsWith('q='));
    const quality = weight === undefined ? 1 : Number(weight.slice(2));
    return quality >= 0 && quality <= 1 ? quality : 0;
  }
  return 0;
}

function segment(value: object): string {
  return Buffer.from(JSON.stringify(value), 'utf8').toString('base64url');
}
