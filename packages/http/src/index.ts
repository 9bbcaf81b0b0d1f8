export { MAX_AUTHORIZATION_LENGTH, authorizationOf, type AuthorizationCredential, type AuthorizationSource } from './bearer.ts';
export { TrustedProxies, clientAddress, countedAddress, type AddressSource } from './client-address.ts';
export {
  IDENTITY_HEADERS,
  SIGNATURE_HEADER,
  decodeIdentity,
  encodeIdentity,
  isIdentityHeader,
  type IdentityHeaders,
  type IncomingHeaders,
} from './identity-headers.ts';
export { IdentitySigner, type IdentitySecret, type IdentitySignerOptions } from './identity-signature.ts';
export { currentPrincipal, requireAuthority, requirePrincipal, runWithPrincipal } from './principal-context.ts';
export type { Principal } from './principal.ts';
export { sendProblem, type ProblemOptions } from './problem-response.ts';
export { UnnamedProxy, type UnnamedProxyOptions } from './unnamed-proxy.ts';
