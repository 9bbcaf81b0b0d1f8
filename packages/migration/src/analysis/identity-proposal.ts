import type { IdentityMapping } from '@wherry/sessions';
import type { AttributeProfile } from './attribute-profiles.ts';
import { dottedPath, memberNames } from './path-text.ts';

/** Where the user of a session seems to stand, as the configuration's `source.identity` has it. */
export interface IdentityProposal {
  readonly userId: string | null;
  readonly username: string | null;
  readonly authorities: readonly string[];
  /** Why, in words for people. */
  readonly reasons: readonly string[];
}

/** Names of user ids as applications and frameworks give them, the surest first. Compared without case, `_` and `-`. */
const USER_IDS = [
  'user.id',
  'userid',
  'user.userid',
  'passport.user.id',
  'passport.user',
  'account.id',
  'accountid',
  'authuserid',
  'uid',
  'user.sub',
  'sub',
  'principal.id',
  'member.id',
  'memberid',
  'customer.id',
  'customerid',
  'principalname',
];
const USERNAMES = [
  'user.username',
  'user.name',
  'username',
  'user.login',
  'login',
  'passport.user.username',
  'passport.user.name',
  'account.name',
  'account.username',
  'principalname',
  'principal.name',
  'user.email',
  'email',
];
const AUTHORITIES = [
  'user.roles',
  'roles',
  'user.permissions',
  'permissions',
  'user.authorities',
  'authorities',
  'user.role',
  'role',
  'scopes',
  'user.scopes',
  'passport.user.roles',
  'account.roles',
];

const MIN_SHARE = 0.05;

/** Proposes a mapping from what attributes are called and hold. A person confirms it. */
export function proposeIdentity(profiles: readonly AttributeProfile[], sessions: number): IdentityProposal {
  const candidates = profiles.filter(({ sessions: count }) => count >= sessions * MIN_SHARE);
  const userId = firstOf(USER_IDS, candidates, isName);
  const username = firstOf(USERNAMES, candidates, isName);
  const authorities = AUTHORITIES.flatMap((name) => {
    const found = firstOf([name], candidates, (profile) => isTexts(profile, profiles));
    return found === undefined ? [] : [found];
  });
  const why = (what: string, profile: AttributeProfile | undefined): string =>
    profile === undefined
      ? `${what}: no attribute is called and typed like one`
      : `${what}: "${dottedPath(profile.path) ?? ''}", in ${percent(profile.sessions, sessions)} of the sessions${profile.distinct === null ? '' : `, ${profile.distinct.exact ? '' : 'about '}${profile.distinct.count} different`}`;
  return {
    userId: path(userId),
    username: path(username),
    authorities: authorities.flatMap((profile) => dottedPath(profile.path) ?? []),
    reasons: [
      why('user id', userId),
      why('user name', username),
      ...(authorities.length === 0 ? [why('authorities', undefined)] : authorities.map((profile) => why('authorities', profile))),
    ],
  };
}

/** The mapping of a format that keeps who is signed in at a place of its own. */
export function identityOfFormat(name: string, { userId, username, authorities }: IdentityMapping): IdentityProposal {
  return {
    userId,
    username: username ?? null,
    authorities: authorities ?? [],
    reasons: [`where ${name} keeps it: user id "${userId}"${username === undefined ? '' : `, user name "${username}"`}`],
  };
}

/** A share for people. */
export function percent(part: number, whole: number): string {
  return whole === 0 ? '0 %' : `${((100 * part) / whole).toFixed(part === whole || part === 0 ? 0 : 1)} %`;
}

function path(profile: AttributeProfile | undefined): string | null {
  return profile === undefined ? null : (dottedPath(profile.path) ?? null);
}

function firstOf(
  names: readonly string[],
  candidates: readonly AttributeProfile[],
  fits: (profile: AttributeProfile) => boolean,
): AttributeProfile | undefined {
  for (const name of names) {
    const found = candidates.find((profile) => plain(profile) === name && dottedPath(profile.path) !== undefined && fits(profile));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The path without what spellings differ in. */
function plain({ path }: AttributeProfile): string | undefined {
  return memberNames(path)
    ?.map((name) => name.toLowerCase().replaceAll(/[_-]/g, ''))
    .join('.');
}

/** Texts or integers, as the mapping takes them. */
function isName({ kinds, size }: AttributeProfile): boolean {
  const { null: none = 0, integer = 0, text = 0, uuid = 0, ...others } = kinds;
  void none;
  return integer + text + uuid > 0 && Object.keys(others).length === 0 && (size === null || size.max <= 256);
}

/** One text, or an array of nothing but texts. */
function isTexts(profile: AttributeProfile, profiles: readonly AttributeProfile[]): boolean {
  const { null: none = 0, text = 0, array = 0, ...others } = profile.kinds;
  void none;
  if (text + array === 0 || Object.keys(others).length > 0) return false;
  const items = profiles.find(
    ({ path }) => path.length === profile.path.length + 1 && path.at(-1)?.to === 'items' && startsWith(path, profile.path),
  );
  return array === 0 || items === undefined || Object.keys(items.kinds).every((kind) => kind === 'text');
}

function startsWith(path: AttributeProfile['path'], start: AttributeProfile['path']): boolean {
  return JSON.stringify(path.slice(0, start.length)) === JSON.stringify(start);
}
