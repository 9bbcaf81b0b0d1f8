/** A source as its address names it. */
export type SourceAddress =
  /** The address goes to the driver as it is. */
  | { readonly kind: 'redis'; readonly url: string }
  /** `endpoint` undefined: the one of the region. */
  | { readonly kind: 'dynamodb'; readonly endpoint: string | undefined; readonly table: string; readonly region: string };

/** What {@link parseSourceUrl} takes, for people. */
export const SOURCE_URL_ALLOWED =
  'redis://host:port, rediss://host:port or dynamodb://host:port/table?region=…&tls=true (no host: the endpoint of the region)';

const TABLE = /^\/([A-Za-z0-9_.-]{3,255})$/;
const REGION = /^[a-z0-9-]{1,40}$/;

/** Reads the address of a source; undefined when it is none. Credentials of DynamoDB come from the AWS environment. */
export function parseSourceUrl(text: string): SourceAddress | undefined {
  const url = URL.parse(text);
  if (url === null) return undefined;
  switch (url.protocol) {
    case 'redis:':
    case 'rediss:':
      return url.hostname !== '' && /^\/?\d*$/.test(url.pathname) && url.hash === '' ? { kind: 'redis', url: text } : undefined;
    case 'dynamodb:':
      return dynamoAddress(url);
    default:
      return undefined;
  }
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

/** True when the address holds a password, and so is a secret as a whole. */
export function hasCredentials(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && (url.username !== '' || url.password !== '');
}
