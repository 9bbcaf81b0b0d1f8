import { WherryError } from '@wherry/core';

/** A shard by its name, which metrics, logs and variables have; its address undefined where none is set. */
export interface ShardSetting {
  readonly name: string;
  /** A secret where it has a password. */
  readonly url: string | undefined;
}

/** What a shard can be called. */
export const SHARD_NAME = '^[a-z][a-z0-9-]{0,31}$';
/** The same for people. */
export const SHARD_NAME_RULE = 'a letter and up to 31 more of a-z, 0-9 and -';
/** What an address looks like, for people. */
export const POSTGRES_URL_RULE = 'postgres://user:password@host:port/database';
/** The same for a shard. */
const SHARD_URL_RULE = `${POSTGRES_URL_RULE} or mysql://user:password@host:port/database`;

const ALL = 'WHERRY_SHARDS_URLS';
const LIST = 'WHERRY_SHARDS_LIST';

/** The variable that holds the address of one shard. */
export function shardVariable(name: string): string {
  return `WHERRY_SHARDS_${name.replaceAll(/[^A-Za-z0-9]+/g, '_').toUpperCase()}_URL`;
}

/**
 * The shards of a process, in the order of the slot map: services and wrapped applications find them by this one rule,
 * because a process that has them in another order would read and write at the wrong ones. `WHERRY_SHARDS_URLS` holds all
 * addresses, in the order of `names` where there are some; or each has a variable of its own. `read` answers the secret of
 * a variable, undefined where it is not set. Errors: `config_invalid`, without the addresses.
 */
export function shardAddresses(
  names: readonly string[],
  read: (variable: string, key: string) => string | undefined,
): readonly ShardSetting[] {
  const text = read(ALL, 'shards.urls');
  const urls = text === undefined ? undefined : listOf(text);
  if (text !== undefined && (urls === undefined || !urls.every(isShardUrl)))
    throw fault(
      'shards.urls',
      ALL,
      'has something that is not an address',
      `${SHARD_URL_RULE} with commas between, or a JSON list of them`,
    );
  const named = names.length === 0 && urls !== undefined ? urls.map((_, at) => `shard${at}`) : names;
  if (urls !== undefined && urls.length !== named.length)
    throw fault('shards.urls', ALL, `has ${urls.length} addresses`, `one for each of the ${named.length} shards in shards.list`);
  return named.map((name, at) => {
    const [key, variable] = [`shards.${name}.url`, shardVariable(name)];
    const own = read(variable, key);
    const common = urls?.[at];
    if (own !== undefined && common !== undefined) throw fault(key, undefined, 'is set twice', `one of ${variable} and ${ALL}`);
    if (own !== undefined && !isShardUrl(own)) throw fault(key, variable, 'is not an address', SHARD_URL_RULE);
    return { name, url: own ?? common };
  });
}

/** As {@link shardAddresses}; at least one, and none without its address. */
export function requiredShardAddresses(addresses: readonly ShardSetting[]): readonly { readonly name: string; readonly url: string }[] {
  if (addresses.length === 0)
    throw fault(
      'shards.list',
      undefined,
      'is not set',
      `at least one shard: ${ALL}, or shards.list (${LIST}) and WHERRY_SHARDS_<NAME>_URL`,
    );
  return addresses.map(({ name, url }) => {
    const variable = shardVariable(name);
    if (url === undefined) throw fault(`shards.${name}.url`, undefined, 'is not set', `${variable} or ${variable}_FILE`);
    return { name, url };
  });
}

/** The names in `WHERRY_SHARDS_LIST`: with commas between, or a JSON list of objects with a name. Errors: `config_invalid`. */
export function shardNames(text: string | undefined): readonly string[] {
  const list = text === undefined || text.trim() === '' ? [] : listOf(text, (member) => (isNamed(member) ? member.name : undefined));
  if (list === undefined || !list.every((name) => new RegExp(SHARD_NAME).test(name)))
    throw fault('shards.list', LIST, 'has something that is not the name of a shard', SHARD_NAME_RULE);
  if (new Set(list).size < list.length) throw fault('shards.list', LIST, 'has a name twice', 'each once');
  return list;
}

/** True for the address of a PostgreSQL database. */
export function isPostgresUrl(text: string): boolean {
  return isUrlOf(text, ['postgres:', 'postgresql:']);
}

function isShardUrl(text: string): boolean {
  return isUrlOf(text, ['postgres:', 'postgresql:', 'mysql:', 'mariadb:']);
}

function isUrlOf(text: string, protocols: readonly string[]): boolean {
  const url = URL.parse(text);
  return url !== null && protocols.includes(url.protocol) && url.pathname.length > 1 && !/\s/.test(text);
}

/** Texts with commas between, or a JSON list; undefined: neither. */
function listOf(text: string, textOf: (member: unknown) => unknown = (member) => member): readonly string[] | undefined {
  if (!text.trimStart().startsWith('[')) return text.split(',').map((member) => member.trim());
  try {
    const list: unknown = JSON.parse(text);
    const texts = Array.isArray(list) ? list.map(textOf) : undefined;
    return texts?.every((member) => typeof member === 'string') === true ? texts : undefined;
  } catch {
    return undefined;
  }
}

function isNamed(member: unknown): member is { readonly name: unknown } {
  return typeof member === 'object' && member !== null && 'name' in member;
}

function fault(key: string, origin: string | undefined, is: string, allowed: string): WherryError {
  const where = origin === undefined ? '' : ` (${origin})`;
  return new WherryError('config_invalid', `${key}${where} ${is}; allowed is ${allowed}`, { data: { key } });
}
