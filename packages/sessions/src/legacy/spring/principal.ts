import { Reference } from '../reference.ts';
import { define } from '../java/plain.ts';

type Members = Record<string, unknown>;

/** Principals whose name is a member of theirs. */
const NAMED_BY: ReadonlyMap<string, string> = new Map([
  ['org.springframework.security.core.userdetails.User', 'username'],
  ['org.springframework.security.ldap.userdetails.LdapUserDetailsImpl', 'username'],
  ['org.springframework.security.ldap.userdetails.InetOrgPerson', 'username'],
  ['org.springframework.security.ldap.userdetails.Person', 'username'],
  ['org.springframework.security.saml2.provider.service.authentication.DefaultSaml2AuthenticatedPrincipal', 'name'],
  ['org.springframework.security.oauth2.core.DefaultOAuth2AuthenticatedPrincipal', 'name'],
  ['org.springframework.security.oauth2.server.resource.introspection.OAuth2IntrospectionAuthenticatedPrincipal', 'name'],
]);
/** Principals whose name is one of what an authorization server said of them: `nameAttributeKey` tells which. */
const OAUTH2_USERS: ReadonlySet<string> = new Set([
  'org.springframework.security.oauth2.core.user.DefaultOAuth2User',
  'org.springframework.security.oauth2.core.oidc.user.DefaultOidcUser',
]);
const AUTHORITY = 'org.springframework.security.core.authority.SimpleGrantedAuthority';
const CONTEXT = 'org.springframework.security.core.context.SecurityContextImpl';

/**
 * Gives members to what Spring Security stores that its classes compute, as `Authentication.getName` and
 * `GrantedAuthority.getAuthority` do, so that one mapping fits both serialisations: `name` of a principal, then of the
 * authentication around it, and `authority`. A principal of another class stands for its own name: a mapping that wants a
 * text there says so, rather than that anybody guesses which of its members is the name.
 */
export function enrichPrincipal(className: string, members: Members): void {
  const named = NAMED_BY.get(className);
  if (named !== undefined) define(members, 'name', own(members, named));
  else if (OAUTH2_USERS.has(className)) define(members, 'name', oauth2Name(members));
  else if (className === AUTHORITY) define(members, 'authority', own(members, 'authority') ?? own(members, 'role'));
  else if (className === CONTEXT) nameAuthentication(own(members, 'authentication'));
}

function nameAuthentication(authentication: unknown): void {
  if (!isMembers(authentication)) return;
  const principal = own(authentication, 'principal');
  // One that has not been checked yet signs nobody in.
  const authenticated = own(authentication, 'authenticated') !== false;
  define(authentication, 'name', !authenticated ? null : isMembers(principal) ? (own(principal, 'name') ?? principal) : principal);
}

/** An OpenID Connect user's attributes are the claims of the user info, under those of the token. */
function oauth2Name(members: Members): unknown {
  const key = own(members, 'nameAttributeKey');
  if (typeof key !== 'string') return undefined;
  for (const claims of [claimsOf(members, 'idToken'), claimsOf(members, 'userInfo'), own(members, 'attributes')]) {
    const value = isMembers(claims) ? own(claims, key) : undefined;
    if (value !== undefined && value !== null) return value;
  }
  return undefined;
}

function claimsOf(members: Members, name: string): unknown {
  const token = own(members, name);
  return isMembers(token) ? own(token, 'claims') : undefined;
}

function own(members: Members, name: string): unknown {
  const value = Object.hasOwn(members, name) ? members[name] : undefined;
  return value instanceof Reference ? value.target : value;
}

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
