export type { GatewayPrincipalOptions, JudgedPrincipalOptions, PrincipalJudge } from './admission.ts';
export { MAX_AUTHORIZATION_LENGTH, authorizationOf, type AuthorizationCredential, type AuthorizationSource } from './bearer.ts';
export { callKey, type CallEnds } from './call-chain.ts';
export { TrustedProxies, clientAddress, countedAddress, type AddressSource } from './client-address.ts';
export { RENEWAL_COOKIE, expireCookie, readCookie, serializeCookie, withoutCookie, type CookieOptions } from './cookies.ts';
export { isCrossSite, type CrossSitePolicy, type CrossSiteSource } from './cross-site.ts';
export {
  IDENTITY_HEADERS,
  SIGNATURE_HEADER,
  decodeIdentity,
  encodeIdentity,
  isIdentityHeader,
  type IdentityHeaders,
  type IncomingHeaders,
} from './identity-headers.ts';
export type { IdentitySecret } from './identity-mac.ts';
export type { TrustOptions } from './identity-reader.ts';
export { IdentitySigner, type IdentitySignerOptions } from './identity-signature.ts';
export { currentCallers, currentPrincipal, requireAuthority, requirePrincipal, runWithPrincipal } from './principal-context.ts';
export { propagatePrincipal, type PrincipalPropagation, type PropagationOptions } from './principal-propagation.ts';
export type { Principal } from './principal.ts';
export { sendProblem, type ProblemOptions } from './problem-response.ts';
export { UnnamedProxy, type UnnamedProxyOptions } from './unnamed-proxy.ts';
