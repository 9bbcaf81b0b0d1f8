import { parseRedisUrl } from '@wherry/sessions';

/** A source as its address names it. */
export type SourceAddress =
  /** The address goes to the driver as it is. `group`: of several servers that stand for one; absent for a single one. */
  | { readonly kind: 'redis'; readonly url: string; readonly group?: 'cluster' | 'sentinel' }
  /** `endpoint` undefined: the one of the region. */
  | { readonly kind: 'dynamodb'; readonly endpoint: string | undefined; readonly table: string; readonly region: string }
  /** `url` goes to the driver as it is; `database` undefined: the driver's default. */
  | { readonly kind: 'mongodb'; readonly url: string; readonly database: string | undefined; readonly collection: string };

/** What {@link parseSourceUrl} takes, for people. */
export const SOURCE_URL_ALLOWED: string =
  'redis://host:port, rediss://host:port, redis-cluster://host:port,…, redis-sentinel://host:port,…/master-name/database, mongodb://host:port,…/database?collection=…, mongodb+srv://host/database or ' +
  'dynamodb://host:port/table?region=…&tls=true (no host: the endpoint of the region)';

const TABLE = /^\/([A-Za-z0-9_.-]{3,255})$/;
const REGION = /^[a-z0-9-]{1,40}$/;
/** Several hosts of a replica set are no address as the web knows them: user, hosts, database, parameters. */
const MONGODB = /^(mongodb(?:\+srv)?:\/\/(?:([^@/?#]*)@)?[^@/?#,]+(?:,[^@/?#,]+)*)(?:\/([^/?#]*))?(?:\?([^#]*))?$/;
const COLLECTION = /^[^$\0]{1,200}$/;

/** Reads the address of a source; undefined when it is none. Credentials of DynamoDB come from the AWS environment. */
export function parseSourceUrl(text: string): SourceAddress | undefined {
  if (/^mongodb(?:\+srv)?:/.test(text)) return mongoAddress(text);
  if (/^rediss?[-:]/.test(text)) return redisAddress(text);
  const url = URL.parse(text);
  if (url === null) return undefined;
  switch (url.protocol) {
    case 'dynamodb:':
      return dynamoAddress(url);
    default:
      return undefined;
  }
}

function redisAddress(text: string): SourceAddress | undefined {
  const address = parseRedisUrl(text);
  if (address === undefined) return undefined;
  return address.form === 'server' ? { kind: 'redis', url: text } : { kind: 'redis', url: text, group: address.form };
}

function dynamoAddress(url: URL): SourceAddress | undefined {
  const table = TABLE.exec(url.pathname)?.[1];
  if (table === undefined || url.username !== '' || url.password !== '' || url.hash !== '') return undefined;
  const known = [...url.searchParams.keys()].every((name) => name === 'region' || name === 'tls');
  const region = url.searchParams.get('region') ?? (url.host === '' ? undefined : 'us-east-1');
  const tls = url.searchParams.get('tls') ?? 'false';
  if (!known || region === undefined || !REGION.test(region) || (tls !== 'true' && tls !== 'false')) return undefined;
  const endpoint = url.host === '' ? undefined : `${tls === 'true' ? 'https' : 'http'}://${url.host}`;
  return { kind: 'dynamodb', endpoint, table, region };
}

/** `collection` is ours; all other parameters are the driver's, which refuses what it does not know. */
function mongoAddress(text: string): SourceAddress | undefined {
  const [, hosts, , database = '', query = ''] = MONGODB.exec(text) ?? [];
  if (hosts === undefined || !/^[^ "$*.<>:|]{0,63}$/.test(database)) return undefined;
  const parameters = query.split('&').filter((one) => one !== '');
  const ours = parameters.filter((one) => one.startsWith('collection='));
  const collection = ours.length === 0 ? 'sessions' : decoded(ours[0]?.slice('collection='.length) ?? '');
  if (ours.length > 1 || collection === undefined || !COLLECTION.test(collection) || collection.startsWith('system.')) return undefined;
  const theirs = parameters.filter((one) => !ours.includes(one)).join('&');
  const url = `${hosts}/${database}${theirs === '' ? '' : `?${theirs}`}`;
  return { kind: 'mongodb', url, database: decoded(database) || undefined, collection };
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** True when the address holds a password, and so is a secret as a whole. */
export function hasCredentials(text: string): boolean {
  if (text.startsWith('mongodb')) return MONGODB.exec(text)?.[2] !== undefined;
  // Nothing else of such an address can hold the sign, whether the rest of it is right or not.
  if (/^rediss?-/.test(text)) return text.includes('@');
  const url = URL.parse(text);
  return url !== null && (url.username !== '' || url.password !== '');
}
