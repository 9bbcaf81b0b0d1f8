/** Where the sessions lie. */
export type SourceLocation =
  | { readonly kind: 'redis'; readonly url: string }
  | { readonly kind: 'dynamodb'; readonly endpoint: string; readonly table: string }
  /** With the database in the address. `stringify` false: sessions are kept as documents, not as text. */
  | { readonly kind: 'mongodb'; readonly url: string; readonly stringify: boolean };

/** What the environment says. */
export interface Config {
  /** TCP port; 0: any free one, told on the first line of output. */
  readonly port: number;
  readonly host: string;
  readonly source: SourceLocation;
  /** Signs session cookies. */
  readonly secret: string;
  /** Idle life of a session in milliseconds. */
  readonly idleMs: number;
  /** Before every session id in the store. */
  readonly keyPrefix: string;
  /** True behind a gateway that strips identity headers from outside and sets its own. */
  readonly trustGateway: boolean;
  /** True when the session store is to be wrapped. */
  readonly instrumented: boolean;
  /** Present: no sessions at all; who is calling says the gateway, and log-ins are handed over. */
  readonly stateless?: StatelessConfig | undefined;
}

/** What an application without sessions needs. */
export interface StatelessConfig {
  /** Origin of the auth service. */
  readonly authUrl: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** With which the gateway signs its identity headers. */
  readonly gatewaySecret: string;
}

/** A variable of the environment has a value that is not allowed. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/**
 * Reads PORT, HOST, LEGACY_SOURCE, SESSION_SECRET, SESSION_TTL_SECONDS, LEGACY_KEY_PREFIX, LEGACY_TRUST_GATEWAY, WHERRY_CONTROL_URL,
 * and with LEGACY_STATELESS=1, which needs no SESSION_SECRET, LEGACY_AUTH_URL, LEGACY_CLIENT_ID, LEGACY_CLIENT_SECRET and GATEWAY_SECRET.
 */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const stateless = env['LEGACY_STATELESS'] === '1' ? readStateless(env) : undefined;
  const secret = env['SESSION_SECRET'] ?? '';
  if (stateless === undefined && secret.length < 8) throw new ConfigError('SESSION_SECRET must be set, with at least 8 characters');
  return {
    port: wholeNumber(env, 'PORT', 3000, 0, 65_535),
    host: env['HOST'] ?? '127.0.0.1',
    source: parseSource(env['LEGACY_SOURCE'] ?? ''),
    secret,
    idleMs: wholeNumber(env, 'SESSION_TTL_SECONDS', 3600, 1, 31_536_000) * 1000,
    keyPrefix: env['LEGACY_KEY_PREFIX'] ?? 'sess:',
    trustGateway: env['LEGACY_TRUST_GATEWAY'] === '1',
    instrumented: stateless === undefined && (env['WHERRY_CONTROL_URL'] ?? '') !== '',
    stateless,
  };
}

function readStateless(env: NodeJS.ProcessEnv): StatelessConfig {
  const authUrl = env['LEGACY_AUTH_URL'] ?? '';
  if (!/^https?:\/\/[^/]+\/?$/.test(authUrl)) throw new ConfigError('LEGACY_AUTH_URL must be an http origin');
  return {
    authUrl,
    clientId: needed(env, 'LEGACY_CLIENT_ID', 1),
    clientSecret: needed(env, 'LEGACY_CLIENT_SECRET', 16),
    gatewaySecret: needed(env, 'GATEWAY_SECRET', 32),
  };
}

function needed(env: NodeJS.ProcessEnv, key: string, least: number): string {
  const text = env[key] ?? '';
  if (text.length < least) throw new ConfigError(`${key} must be set, with at least ${least} characters`);
  return text;
}

function wholeNumber(env: NodeJS.ProcessEnv, key: string, otherwise: number, least: number, most: number): number {
  const text = env[key] ?? String(otherwise);
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least && value <= most)) throw new ConfigError(`${key} is "${text}"; allowed: a whole number from ${least} to ${most}`);
  return value;
}

function parseSource(text: string): SourceLocation {
  // The text is not quoted in the error: a Redis URL can hold a password.
  const refused = new ConfigError('LEGACY_SOURCE must be redis://host:port, mongodb://host:port/database or dynamodb://host:port/table');
  // Several hosts of a replica set are no address of the web's kind.
  if (/^mongodb(?:\+srv)?:\/\/[^/?#]+\/[^/?#]+/.test(text)) return { kind: 'mongodb', url: text, stringify: true };
  if (!URL.canParse(text)) throw refused;
  const url = new URL(text);
  if (url.protocol === 'redis:' || url.protocol === 'rediss:') return { kind: 'redis', url: text };
  const table = url.pathname.slice(1);
  if (url.protocol !== 'dynamodb:' || !/^[\w.-]{3,255}$/.test(table)) throw refused;
  return { kind: 'dynamodb', endpoint: `http://${url.host}`, table };
}
