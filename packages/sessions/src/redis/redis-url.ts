/** Where a Redis is, and in which of its forms. */
export type RedisAddress = {
  readonly tls: boolean;
  readonly username: string | undefined;
  readonly password: string | undefined;
} & (
  | { readonly form: 'server'; readonly url: string; readonly location: string }
  | { readonly form: 'cluster'; readonly hosts: readonly RedisHost[]; readonly location: string }
  | {
      readonly form: 'sentinel';
      /** The sentinels. Name and password of the address are the servers', not theirs. */
      readonly hosts: readonly RedisHost[];
      readonly master: string;
      readonly database: number;
      readonly location: string;
    }
);

/** One member. */
export interface RedisHost {
  readonly host: string;
  readonly port: number;
}

const SEVERAL = /^(rediss?)-(cluster|sentinel):\/\/(?:([^@/?#]*)@)?([^@/?#]+)(?:\/([^?#]*))?$/;
const HOST = /^(?<host>[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(?::(?<port>\d{1,5}))?$/;
const MASTER = /^([A-Za-z0-9._-]{1,100})(?:\/(\d{1,3}))?$/;
const DEFAULT_PORT = { cluster: 6379, sentinel: 26_379 } as const;

/**
 * Reads `redis://`, `rediss://` (one server), `redis-cluster://host:port,host:port` and
 * `redis-sentinel://host:port,host:port/master-name/database`, the last two with `rediss-` for TLS; undefined when it is none.
 */
export function parseRedisUrl(text: string): RedisAddress | undefined {
  const several = SEVERAL.exec(text);
  if (several === null) return serverAddress(text);
  const [, scheme, form, credentials, list = '', path = ''] = several;
  const access = credentialsOf(credentials);
  if (access === undefined || (form !== 'cluster' && form !== 'sentinel')) return undefined;
  const hosts = list.split(',').map((item) => hostOf(item, DEFAULT_PORT[form]));
  if (!hosts.every((host) => host !== undefined)) return undefined;
  const common = { tls: scheme === 'rediss', ...access, hosts };
  if (form === 'cluster') return path === '' ? { ...common, form, location: list } : undefined;
  const [, master, database = '0'] = MASTER.exec(path) ?? [];
  return master === undefined ? undefined : { ...common, form, master, database: Number(database), location: `${list}/${path}` };
}

function serverAddress(text: string): RedisAddress | undefined {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'redis:' && url.protocol !== 'rediss:')) return undefined;
  if (url.hostname === '' || !/^\/?\d*$/.test(url.pathname) || url.hash !== '') return undefined;
  const access = { username: url.username || undefined, password: url.password || undefined };
  const location = `${url.host}${url.pathname === '/' ? '' : url.pathname}`;
  return { form: 'server', url: text, tls: url.protocol === 'rediss:', ...access, location };
}

function hostOf(text: string, defaultPort: number): RedisHost | undefined {
  const { host, port } = HOST.exec(text)?.groups ?? {};
  const number = port === undefined ? defaultPort : Number(port);
  if (host === undefined || number < 1 || number > 65_535) return undefined;
  return { host: host.replace(/^\[|\]$/g, ''), port: number };
}

/** `user:password`, percent-encoded as in any URL; undefined where the encoding is broken. */
function credentialsOf(text: string | undefined): { username: string | undefined; password: string | undefined } | undefined {
  if (text === undefined) return { username: undefined, password: undefined };
  const colon = text.indexOf(':');
  try {
    const username = decodeURIComponent(colon < 0 ? text : text.slice(0, colon));
    const password = colon < 0 ? '' : decodeURIComponent(text.slice(colon + 1));
    return { username: username || undefined, password: password || undefined };
  } catch {
    return undefined;
  }
}
