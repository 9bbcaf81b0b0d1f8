import type { AuthContext } from '../context.ts';

/** What a client may be allowed to ask the token endpoint for, by the short name of the configuration. */
export type GrantName = 'token-exchange' | 'client_credentials' | 'refresh_token' | 'expired-access-token';

/** The values of `grant_type` (RFC 6749 sections 4.4 and 6, RFC 8693 section 2.1). */
export const GRANT_TYPES: ReadonlyMap<string, GrantName> = new Map([
  ['urn:ietf:params:oauth:grant-type:token-exchange', 'token-exchange'],
  ['client_credentials', 'client_credentials'],
  ['refresh_token', 'refresh_token'],
  // Ours: RFC 6749 section 4.5 leaves such names to the server.
  ['urn:wherry:grant-type:expired-access-token', 'expired-access-token'],
]);

/** What a client may ask for that says nothing else: whoever has a user's credential may change its form. */
export const DEFAULT_GRANTS: readonly GrantName[] = ['token-exchange', 'refresh_token'];

/** The values of `grant_type` that are offered: renewal by an expired token alone only where it is configured. */
export function offeredGrantTypes({ renewal }: Pick<AuthContext, 'renewal'>): readonly string[] {
  return [...GRANT_TYPES].filter(([, name]) => name !== 'expired-access-token' || renewal.maxBearerRenewals > 0).map(([type]) => type);
}
