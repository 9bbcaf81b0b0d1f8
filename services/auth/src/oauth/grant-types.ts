/** What a client may be allowed to ask the token endpoint for, by the short name of the configuration. */
export type GrantName = 'token-exchange' | 'client_credentials' | 'refresh_token';

/** The values of `grant_type` (RFC 6749 sections 4.4 and 6, RFC 8693 section 2.1). */
export const GRANT_TYPES: ReadonlyMap<string, GrantName> = new Map([
  ['urn:ietf:params:oauth:grant-type:token-exchange', 'token-exchange'],
  ['client_credentials', 'client_credentials'],
  ['refresh_token', 'refresh_token'],
]);

/** What a client may ask for that says nothing else: whoever has a user's credential may change its form. */
export const DEFAULT_GRANTS: readonly GrantName[] = ['token-exchange', 'refresh_token'];
