import type { SessionIdentity } from '../source/decoder.ts';

/**
 * Where a session keeps who it belongs to. Paths are member names joined by dots (`passport.user.id`); only a value's
 * own members are followed, so `__proto__` and `constructor` name nothing that was not stored.
 */
export interface IdentityMapping {
  /** Text, or a safe integer. Nothing there: nobody has signed in. */
  readonly userId: string;
  /** Text, or a safe integer. */
  readonly username?: string;
  /** Each an array of texts, or one text separated by spaces or commas; together one set. */
  readonly authorities?: readonly string[];
}

const NOBODY: SessionIdentity = { userId: null, username: null, authorities: [] };
const MAX_NAME_LENGTH = 256;
const MAX_AUTHORITIES = 1000;

/** A value of the wrong type, told by the path of the mapping that led to it. */
export class IdentityFault extends Error {
  override readonly name = 'IdentityFault';
}

/** Begins the subject of a token that a service got in its own name: to a back end, which sees the id alone, a user of such an id would be that service. */
const SERVICE_PREFIX = 'client:';

/** Takes the identity from decoded session attributes; throws {@link IdentityFault} with the path, never with the value. */
export function identityOf(attributes: object, mapping: IdentityMapping): SessionIdentity {
  const userId = nameAt(attributes, mapping.userId);
  if (userId === null) return NOBODY;
  if (userId.startsWith(SERVICE_PREFIX)) throw new IdentityFault(`"${mapping.userId}" begins as the names of services do`);
  const username = mapping.username === undefined ? null : nameAt(attributes, mapping.username);
  const authorities = new Set<string>();
  for (const path of mapping.authorities ?? []) {
    for (const authority of authoritiesAt(attributes, path)) authorities.add(authority);
  }
  if (authorities.size > MAX_AUTHORITIES) throw new IdentityFault(`more than ${MAX_AUTHORITIES} authorities`);
  return { userId, username, authorities: [...authorities] };
}

function nameAt(attributes: object, path: string): string | null {
  const value = valueAt(attributes, path);
  if (value === undefined || value === null) return null;
  // A number past 2^53 has lost digits while it was parsed: two users could become one.
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value);
  if (typeof value === 'string' && isName(value)) return value;
  throw new IdentityFault(`"${path}" is neither a text of 1 to ${MAX_NAME_LENGTH} printable characters nor a safe integer`);
}

function authoritiesAt(attributes: object, path: string): readonly string[] {
  const value = valueAt(attributes, path);
  if (value === undefined || value === null) return [];
  const parts: readonly unknown[] | undefined =
    typeof value === 'string' ? value.split(/[ ,]+/).filter((part) => part !== '') : Array.isArray(value) ? value : undefined;
  if (parts?.every((part): part is string => typeof part === 'string' && isName(part)) === true) return parts;
  throw new IdentityFault(`"${path}" is neither an array of texts nor one text separated by spaces or commas`);
}

function valueAt(attributes: object, path: string): unknown {
  let value: unknown = attributes;
  for (const name of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

/** Control characters and half surrogate pairs would not survive SQL, headers and tokens as what they are. */
function isName(text: string): boolean {
  // oxlint-disable-next-line no-control-regex
  return text.length > 0 && text.length <= MAX_NAME_LENGTH && text.isWellFormed() && !/[\u0000-\u001f\u007f]/.test(text);
}
