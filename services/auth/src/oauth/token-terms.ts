import { WherryError } from '@wherry/core';
import type { RegisteredClient } from '../clients.ts';
import type { AuthContext } from '../context.ts';
import type { FormParameters } from '../http/form.ts';

/** What a token may be good for at most, by those whom it is made from. */
export interface Ceiling {
  readonly authorities: readonly string[];
  /** undefined: the session itself, or a token of the service's own audience, which all narrower ones may be made from. */
  readonly audiences?: readonly string[];
  /** True: `offline_access` may be asked for too. */
  readonly offline?: boolean;
  /** The scope that a token which is made from this one keeps where no other is asked for. */
  readonly scope?: string | undefined;
}

/** What a token is to be good for. */
export interface TokenTerms {
  readonly audience: readonly string[];
  readonly authorities: readonly string[];
  readonly scope?: string;
  /** True: a refresh token was asked for too (OpenID Connect Core section 11). */
  readonly offline?: boolean;
}

/** Asks for a refresh token, among the names of authorities. */
export const OFFLINE_ACCESS = 'offline_access';

/** Parameters of the token endpoint that may be repeated (RFC 8693 section 2.1, RFC 8707 section 2). */
export const REPEATABLE: ReadonlySet<string> = new Set(['audience', 'resource']);

/** RFC 6749 section 3.3. */
const SCOPE = /^[!#-[\]-~]+(?: [!#-[\]-~]+)*$/;

/**
 * What a request asks for by `audience`, `resource` and `scope`, within what the client may have and `ceiling`: never
 * more, and never silently less. A scope is the name of an authority, or `offline_access`. Errors: `target_invalid`, `scope_invalid`.
 */
export function termsOf(context: AuthContext, client: RegisteredClient, form: FormParameters, ceiling: Ceiling): TokenTerms {
  return { audience: audienceOf(context, client, form, ceiling), ...authoritiesOf(form, ceiling) };
}

/** The audience of a client's tokens where it asks for none: the service's own, or all that it may have. */
export function usualAudience({ oauth }: Pick<AuthContext, 'oauth'>, { audiences }: RegisteredClient): readonly string[] {
  return audiences === undefined || audiences.has(oauth.audience) ? [oauth.audience] : [...audiences];
}

function audienceOf({ oauth }: AuthContext, client: RegisteredClient, form: FormParameters, ceiling: Ceiling): readonly string[] {
  const { audience: own, audiences: known } = oauth;
  const usual = ceiling.audiences ?? usualAudience({ oauth }, client);
  const ofClient = client.audiences ?? new Set([own]);
  const isAllowed = (audience: string): boolean =>
    known.has(audience) && ofClient.has(audience) && (ceiling.audiences?.includes(audience) ?? true);
  const resources = form.all('resource');
  if (!resources.every(isResource)) throw new WherryError('target_invalid', 'resource is not an absolute URI without a fragment');
  const asked = [...new Set([...form.all('audience'), ...resources])];
  if (asked.length > 0) {
    // One answer for what there is not and what is not for this client: the list is not to be read by trying.
    if (!asked.every(isAllowed))
      throw new WherryError('target_invalid', 'an audience or resource is not one that this client may ask for with this grant');
    return asked;
  }
  const given = usual.filter(isAllowed);
  if (given.length === 0) throw new WherryError('target_invalid', 'this client may have no token for the audience of the subject token');
  return given;
}

function authoritiesOf(form: FormParameters, { authorities, scope: kept, offline = false }: Ceiling): Omit<TokenTerms, 'audience'> {
  const scope = form.get('scope');
  const inherited = { authorities, ...(kept === undefined ? {} : { scope: kept }) };
  if (scope === undefined) return inherited;
  if (!SCOPE.test(scope)) throw new WherryError('scope_invalid', 'scope is not a list of names with one space between');
  const asked = new Set(scope.split(' '));
  const isOffline = offline && asked.delete(OFFLINE_ACCESS);
  // Nothing is narrowed by that alone.
  if (asked.size === 0) return { ...inherited, offline: true };
  const names = [...asked];
  const held = new Set(authorities);
  if (!names.every((name) => held.has(name)))
    throw new WherryError('scope_invalid', 'a scope is not among the authorities of the one whom the token is for');
  return { authorities: names, scope: names.join(' '), ...(isOffline ? { offline: true } : {}) };
}

/** RFC 8707 section 2. */
function isResource(text: string): boolean {
  return URL.canParse(text) && !text.includes('#');
}
