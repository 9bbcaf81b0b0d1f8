import type { SessionIdentity } from '../source/decoder.ts';
import { itemsOf, parsePath, valueAt, valuesAt, type AttributePath } from './attribute-path.ts';

/**
 * Where a session keeps who it belongs to. Paths are member names joined by dots (`passport.user.id`), as
 * `parsePath` reads them; only a value's own members are followed, so `__proto__` and `constructor` name nothing that was
 * not stored.
 */
export interface IdentityMapping {
  /** Text, or an integer that has lost no digits. Nothing there: nobody has signed in. Empty: it is not known where. */
  readonly userId: string;
  /** The same. */
  readonly username?: string;
  /**
   * Each an array of texts, or one text separated by spaces or commas, also at several places (`roles[].name`); together
   * one set.
   */
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
  const paths = parsed(mapping);
  const userId = paths.userId === undefined ? null : nameAt(attributes, paths.userId);
  if (userId === null) return NOBODY;
  if (userId.startsWith(SERVICE_PREFIX)) throw new IdentityFault(`"${mapping.userId}" begins as the names of services do`);
  const username = paths.username === undefined ? null : nameAt(attributes, paths.username);
  const authorities = new Set<string>();
  for (const path of paths.authorities) {
    for (const authority of authoritiesAt(attributes, path)) authorities.add(authority);
  }
  if (authorities.size > MAX_AUTHORITIES) throw new IdentityFault(`more than ${MAX_AUTHORITIES} authorities`);
  return { userId, username, authorities: [...authorities] };
}

interface NamedPath {
  readonly text: string;
  readonly steps: AttributePath;
}

interface ParsedMapping {
  readonly userId: NamedPath | undefined;
  readonly username: NamedPath | undefined;
  readonly authorities: readonly NamedPath[];
}

/** A mapping is made once, and used for each session. */
const PARSED = new WeakMap<IdentityMapping, ParsedMapping>();

/** Reads a mapping's paths before the first session comes. Errors: `config_invalid` for one that nothing can be meant by. */
export function checkIdentity(mapping: IdentityMapping): void {
  parsed(mapping);
}

function parsed(mapping: IdentityMapping): ParsedMapping {
  let paths = PARSED.get(mapping);
  if (paths === undefined) {
    const named = (text: string): NamedPath => ({ text, steps: parsePath(text) });
    const { userId, username, authorities = [] } = mapping;
    paths = {
      userId: userId === '' ? undefined : named(userId),
      username: username === undefined ? undefined : named(username),
      authorities: authorities.map(named),
    };
    PARSED.set(mapping, paths);
  }
  return paths;
}

function nameAt(attributes: object, { text: path, steps }: NamedPath): string | null {
  const value = valueAt(attributes, steps);
  if (value === undefined || value === null) return null;
  // A number past 2^53 has lost digits while it was parsed: two users could become one.
  if (typeof value === 'bigint' || (typeof value === 'number' && Number.isSafeInteger(value))) return String(value);
  if (typeof value === 'string' && isName(value)) return value;
  throw new IdentityFault(`"${path}" is neither a text of 1 to ${MAX_NAME_LENGTH} printable characters nor a safe integer`);
}

function authoritiesAt(attributes: object, { text: path, steps }: NamedPath): readonly string[] {
  const values = valuesAt(attributes, steps);
  if (values === null) throw new IdentityFault(`"${path}" stands for too many values`);
  return values
    .flatMap((value) => {
      if (value === undefined || value === null) return [];
      if (typeof value === 'string') return value.split(/[ ,]+/).filter((part) => part !== '');
      return typeof value === 'object' ? (itemsOf(value) ?? [value]) : [value];
    })
    .map((part) => {
      if (typeof part === 'string' && isName(part)) return part;
      throw new IdentityFault(`"${path}" is neither an array of texts nor one text separated by spaces or commas`);
    });
}

/** Control characters and half surrogate pairs would not survive SQL, headers and tokens as what they are. */
function isName(text: string): boolean {
  // oxlint-disable-next-line no-control-regex
  return text.length > 0 && text.length <= MAX_NAME_LENGTH && text.isWellFormed() && !/[\u0000-\u001f\u007f]/.test(text);
}
