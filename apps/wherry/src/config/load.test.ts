import { isWherryError } from '@wherry/core';
import fc from 'fast-check';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from './load.ts';
import { CONFIG_SCHEMA } from './schema.ts';
import type { ClientEntry } from './sections/auth.ts';
import type { Environment } from './secrets.ts';
import { allowedValue } from './testing/settings.ts';
import { SETTINGS } from './variables.ts';

const SECTIONS = Object.keys(CONFIG_SCHEMA.properties).join(', ');
const GATEWAY_KEYS = Object.keys(CONFIG_SCHEMA.properties.gateway.properties).join(', ');

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'wherry-config-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

let files = 0;
function fileWith(content: unknown): string {
  const file = join(folder, `${++files}.json`);
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
}
function load(environment: Environment, content?: unknown): ReturnType<typeof loadConfig> {
  return loadConfig({ environment, file: fileWith(content ?? {}) });
}
/** The one line of a refusal, the name of the file cut out. */
function refusal(environment: Environment, content?: unknown): string {
  try {
    load(environment, content);
  } catch (error) {
    if (!isWherryError(error, 'config_invalid')) throw error;
    expect(error.message).not.toMatch(/[\r\n]/);
    return error.message.replaceAll(/\/[^ ]*?(\d+)\.json/g, 'FILE');
  }
  return 'accepted';
}
const KEY = Buffer.alloc(32, 7).toString('base64');

describe('a configuration', () => {
  it('has defaults for everything but addresses and secrets', () => {
    const { config, ignored } = load({});
    expect(JSON.parse(JSON.stringify(config))).toMatchObject({
      gateway: { port: 8080, routes: [] },
      tokens: { accessTokenSeconds: 300 },
      log: { level: 'info' },
    });
    expect([config.masterKey, config.control.url, config.source.url, config.source.cookieSecrets, config.gateway.upstreamSecrets]).toEqual(
      Array(5).fill(undefined),
    );
    expect(ignored).toEqual([]);
  });

  it('is the same from the file and from the environment, for every key', () => {
    for (const { path, variable, schema, key } of SETTINGS) {
      const values =
        key === 'sessions.absoluteSeconds'
          ? fc.integer({ min: 86_400 * 3, max: 315_360_000 })
          : allowedValue(schema).map((value) => (key === 'auth.clients' ? coherentClients(value) : value));
      const same = fc.property(values, (value) => {
        const inFile = path.reduceRight<unknown>((inner, name) => ({ [name]: inner }), value);
        const text = typeof value === 'string' ? value : JSON.stringify(value);
        // Long lives, so that no rule between keys is in the way.
        const base = { WHERRY_SESSIONS_ABSOLUTE_SECONDS: '315360000' };
        const fromEnvironment = load({ ...base, [variable]: text });
        const fromFile = load(variable in base ? {} : base, inFile);
        expect(revealed(fromEnvironment.config)).toEqual(revealed(fromFile.config));
        if (key !== 'source.url') expect(fromEnvironment.originOf(key)).toBe(variable);
        expect(fromFile.originOf(key)).toMatch(/\.json$/);
      });
      fc.assert(same, { numRuns: 20 });
    }
  });

  it('takes the environment before the file, key by key', () => {
    const { config, originOf } = load({ WHERRY_GATEWAY_PORT: '1' }, { gateway: { port: 2, host: '::1' } });
    expect([config.gateway.port, config.gateway.host, config.auth.port]).toEqual([1, '::1', 8081]);
    expect([originOf('gateway.port'), originOf('gateway.host')?.endsWith('.json'), originOf('auth.port')]).toEqual([
      'WHERRY_GATEWAY_PORT',
      true,
      undefined,
    ]);
  });

  it('knows operators, who need a secret', () => {
    const clients = [{ id: 'ops', operator: true }];
    const { config } = load(
      { WHERRY_AUTH_OPERATOR_SECRET: 'o'.repeat(24), WHERRY_AUTH_CLIENT_OPS_SECRET: 's'.repeat(16) },
      { auth: { clients } },
    );
    expect(config.auth.operatorSecret?.reveal()).toBe('o'.repeat(24));
    expect(config.auth.clients[0]).toMatchObject({ id: 'ops', operator: true });
    expect(refusal({}, { auth: { clients: [{ id: 'ops', operator: true, public: true }] } })).toBe(
      'auth.clients (FILE) has "ops", public and an operator; allowed is operators with a secret',
    );
  });

  it('takes lists in their short form', () => {
    const environment = { WHERRY_SHARDS_LIST: 'a, b', WHERRY_AUTH_CLIENTS: 'web', WHERRY_SOURCE_IDENTITY_AUTHORITIES: 'roles,rights' };
    const { config } = load(environment);
    expect(config.shards.list.map(({ name }) => name)).toEqual(['a', 'b']);
    const grants = ['token-exchange', 'refresh_token'];
    expect(config.auth.clients).toEqual([
      { id: 'web', public: false, operator: false, assertsUsers: false, grants, audiences: [], authorities: [], secret: undefined },
    ]);
    expect(config.source.identity.authorities).toEqual(['roles', 'rights']);
    expect(load({ WHERRY_GATEWAY_ROUTES: '' }).config.gateway.routes).toEqual([]);
    expect(load({ WHERRY_SOURCE_PREFIX: '' }).config.source.prefix).toBe('');
  });

  it('is found by WHERRY_CONFIG, and a file that was named must be there', () => {
    expect(loadConfig({ environment: { WHERRY_CONFIG: fileWith({ log: { level: 'warn' } }) } }).config.log.level).toBe('warn');
    expect(() => loadConfig({ environment: { WHERRY_CONFIG: join(folder, 'none.json') } })).toThrow(/cannot be read \(ENOENT\)/);
    expect(() => loadConfig({ environment: {}, file: folder })).toThrow(/cannot be read \(EISDIR\)/);
  });

  it('passes over what is not about it, and says so', () => {
    const environment = {
      WHERRY_TEST_POSTGRES_URL: 'x',
      WHERRY_GATEWAY_SERVICE_HOST: '10.0.0.1',
      WHERRY_GATEWAY_PORT_80_TCP_ADDR: '10.0.0.1',
      PATH: '/bin',
    };
    expect(load(environment).ignored).toEqual([
      'WHERRY_TEST_POSTGRES_URL',
      'WHERRY_GATEWAY_SERVICE_HOST',
      'WHERRY_GATEWAY_PORT_80_TCP_ADDR',
    ]);
    expect(load({}, { $schema: './schema.json' }).config.log.level).toBe('info');
    expect(load({}, '\uFEFF{"log":{"level":"error"}}').config.log.level).toBe('error');
  });
});

describe('a bad configuration is refused in one line', () => {
  it.each<[unknown, string]>([
    [{ gateway: { port: 'x' } }, 'gateway.port (FILE) is "x"; allowed is an integer from 0 to 65535'],
    [{ gateway: { port: 1.5 } }, 'gateway.port (FILE) is 1.5; allowed is an integer from 0 to 65535'],
    [{ gateway: { port: -1 } }, 'gateway.port (FILE) is -1; allowed is an integer from 0 to 65535'],
    [{ gateway: { port: null } }, 'gateway.port (FILE) is null; allowed is an integer from 0 to 65535'],
    [{ gateway: { port: '8080' } }, 'gateway.port (FILE) is "8080"; allowed is an integer from 0 to 65535'],
    [{ gateway: { port: true } }, 'gateway.port (FILE) is true; allowed is an integer from 0 to 65535'],
    [{ gateway: { port: [1] } }, 'gateway.port (FILE) is a list of 1; allowed is an integer from 0 to 65535'],
    ['{"gateway":{"port":1e400}}', 'gateway.port (FILE) is Infinity; allowed is an integer from 0 to 65535'],
    [{ gateway: { host: 'a b' } }, 'gateway.host (FILE) is "a b"; allowed is a host name or an IP address'],
    [{ gateway: { host: '' } }, 'gateway.host (FILE) is ""; allowed is a host name or an IP address'],
    [
      { gateway: { limits: { perUser: '20 a second' } } },
      'gateway.limits.perUser (FILE) is "20 a second"; allowed is a rate as 20/1s, or up to four as 20/1s,600/1m',
    ],
    [
      { gateway: { routes: [{ prefix: '/', upstream: 'http://a:1', perAddress: '0/1s' }] } },
      'gateway.routes[0].perAddress (FILE) is "0/1s"; allowed is a rate as 20/1s, or up to four as 20/1s,600/1m',
    ],
    [
      { gateway: { allowedOrigins: ['https://pay.example/'] } },
      'gateway.allowedOrigins[0] (FILE) is "https://pay.example/"; allowed is an origin as https://pay.example.com',
    ],
    [{ gateway: 'x' }, `gateway (FILE) is a text; allowed is an object with ${GATEWAY_KEYS}`],
    [{ gateway: null }, `gateway (FILE) is null; allowed is an object with ${GATEWAY_KEYS}`],
    [{ gateway: [] }, `gateway (FILE) is a list of 0; allowed is an object with ${GATEWAY_KEYS}`],
    [{ gateway: { prot: 1 } }, `gateway.prot (FILE) is not a key (did you mean port?); allowed is one of ${GATEWAY_KEYS}`],
    [
      { passwords: { breachedFile: '/a', breachedUrl: 'https://h/range' } },
      'passwords.breachedUrl (FILE) is set beside passwords.breachedFile; allowed is one of them',
    ],
    [{ gatway: {} }, `gatway (FILE) is not a key (did you mean gateway?); allowed is one of ${SECTIONS}`],
    ['{"__proto__":{"log":1}}', `__proto__ (FILE) is not a key; allowed is one of ${SECTIONS}`],
    [
      {
        gateway: {
          routes: [
            { prefix: '/', upstream: 'http://a' },
            { prefix: 'api', upstream: 'http://a' },
          ],
        },
      },
      'gateway.routes[1].prefix (FILE) is "api"; allowed is a path that begins with /, without ?, #, \\ and spaces',
    ],
    [
      { gateway: { routes: [{ prefix: '/' }] } },
      'gateway.routes[0].upstream (FILE) is missing; allowed is http://host:port or https://host:port, without a path and credentials',
    ],
    [
      { gateway: { routes: [{ prefix: '/', upstream: 'http://a', auth: 'maybe' }] } },
      'gateway.routes[0].auth (FILE) is "maybe"; allowed is one of required, optional, none',
    ],
    [
      {
        gateway: {
          routes: [
            { prefix: '/', upstream: 'http://a' },
            { prefix: '/', upstream: 'http://b' },
          ],
        },
      },
      'gateway.routes (FILE) has "/" twice; allowed is each once',
    ],
    [{ tokens: { algorithm: 'HS256' } }, 'tokens.algorithm (FILE) is "HS256"; allowed is one of ES256, RS256, EdDSA'],
    [{ tokens: { issuer: '' } }, 'tokens.issuer (FILE) is ""; allowed is a text of 1 to 200 characters'],
    [
      { tokens: { accessTokenSeconds: 400 }, sessions: { idleSeconds: 60, absoluteSeconds: 1000 } },
      'tokens.accessTokenSeconds (FILE) is 400, with its renewal window 1200; allowed is at most 333, a third of sessions.absoluteSeconds',
    ],
    [
      { sessions: { idleSeconds: 2000, absoluteSeconds: 1000 } },
      'sessions.idleSeconds (FILE) is 2000; allowed is at most sessions.absoluteSeconds, which is 1000',
    ],
    [{ shards: { list: [{ name: 'A' }] } }, 'shards.list[0].name (FILE) is "A"; allowed is a letter and up to 31 more of a-z, 0-9 and -'],
    [{ shards: { list: [{ name: 'a' }, { name: 'a' }] } }, 'shards.list (FILE) has "a" twice; allowed is each once'],
    [
      { auth: { clients: [{ id: 'a', public: true, grants: ['client_credentials'] }] } },
      'auth.clients (FILE) has "a", public and with the grant client_credentials; allowed is that grant with a secret or keys',
    ],
    [
      { auth: { clients: [{ id: 'a', public: true, jwksFile: 'x' }] } },
      'auth.clients (FILE) has "a", public and with keys; allowed is one of both',
    ],
    [
      { auth: { clients: [{ id: 'a', jwksFile: 'x', jwks: { keys: [{ kty: 'EC' }] } }] } },
      'auth.clients (FILE) has "a" with jwks and jwksFile; allowed is one of both',
    ],
    [
      { auth: { clients: [{ id: 'a', grants: ['password'] }] } },
      'auth.clients[0].grants[0] (FILE) is "password"; allowed is one of token-exchange, client_credentials, refresh_token, expired-access-token',
    ],
    [
      { auth: { publicUrl: 'https://a/b' } },
      'auth.publicUrl (FILE) is "https://a/b"; allowed is http://host:port or https://host:port, without a path and credentials',
    ],
    [
      { auth: { clients: [{ id: 'a-b' }, { id: 'A.b' }] } },
      'auth.clients (FILE) has "a-b" and "A.b", which share a variable; allowed is each once',
    ],
    [
      { source: { url: 'mysql://a' } },
      'source.url (FILE) is "mysql://a"; allowed is redis://host:port, rediss://host:port, redis-cluster://host:port,…, redis-sentinel://host:port,…/master-name/database, mongodb://host:port,…/database?collection=…, mongodb+srv://host/database or dynamodb://host:port/table?region=…&tls=true (no host: the endpoint of the region)',
    ],
    [{ source: { identity: { userId: 'a..b' } } }, 'source.identity.userId (FILE) is "a..b"; allowed is a dotted path, e.g. user.id'],
    [{ source: { identity: { userId: 'ids[].a' } } }, 'source.identity.userId (FILE) is "ids[].a"; allowed is a dotted path, e.g. user.id'],
    [
      { source: { identity: { authorities: ['roles[]name'] } } },
      'source.identity.authorities[0] (FILE) is "roles[]name"; allowed is a dotted path, e.g. user.roles or user.roles[].name',
    ],
    [{ source: { mapping: { idleTime: 'a\\' } } }, 'source.mapping.idleTime (FILE) is "a\\\\"; allowed is a dotted path'],
    [
      { source: { mapping: { value: 'xml' } } },
      'source.mapping.value (FILE) is "xml"; allowed is one of json, msgpack, php, php_serialize, php_binary, pickle, urlencoded',
    ],
    [
      { source: { format: 'mapped', mapping: { lastAccessTime: 'last' } } },
      'source.mapping.lastAccessTime (FILE) is set without source.mapping.idleTime; allowed is both, since the session ends at their sum',
    ],
    [
      { log: { level: `x\n${'y'.repeat(100)}` } },
      `log.level (FILE) is "x\\n${'y'.repeat(58)}…"; allowed is one of debug, info, warn, error, silent`,
    ],
    ['{"log": ', 'the configuration file (FILE) is not JSON; allowed is a JSON object'],
    ['{"log":\n  {]', 'the configuration file (FILE) is not JSON at line 2, column 4; allowed is a JSON object'],
    ['', 'the configuration file (FILE) is not JSON; allowed is a JSON object'],
    [
      '{"log":{"level":"info","l\\u0065vel":"warn"}}',
      'the configuration file (FILE) has the key "level" twice in one object; allowed is each key once',
    ],
    ['[]', 'the configuration file (FILE) holds no object; allowed is a JSON object'],
    ['null', 'the configuration file (FILE) holds no object; allowed is a JSON object'],
  ])('file %j', (content, line) => {
    expect(refusal({}, content)).toBe(line);
  });

  it.each<[Environment, string]>([
    [{ WHERRY_GATEWAY_PORT: '' }, 'gateway.port (WHERRY_GATEWAY_PORT) is ""; allowed is an integer from 0 to 65535'],
    [{ WHERRY_GATEWAY_PORT: '0x50' }, 'gateway.port (WHERRY_GATEWAY_PORT) is "0x50"; allowed is an integer from 0 to 65535'],
    [
      { WHERRY_GATEWAY_PORT: 'tcp://10.0.0.1:80' },
      'gateway.port (WHERRY_GATEWAY_PORT) is "tcp://10.0.0.1:80"; allowed is an integer from 0 to 65535',
    ],
    [
      { WHERRY_GATEWAY_ROUTES: '[{' },
      'gateway.routes (WHERRY_GATEWAY_ROUTES) is "[{"; allowed is a list of 0 to 1000 objects with prefix, upstream, auth, stripBearer, crossSite, perUser, perClient, perAddress',
    ],
    [
      { WHERRY_GATEWAY_ROUTES: '[{"prefix":"/"}]' },
      'gateway.routes[0].upstream (WHERRY_GATEWAY_ROUTES) is missing; allowed is http://host:port or https://host:port, without a path and credentials',
    ],
    [
      { WHERRY_SHARDS_LIST: 'a,,b' },
      'shards.list[1].name (WHERRY_SHARDS_LIST) is ""; allowed is a letter and up to 31 more of a-z, 0-9 and -',
    ],
    [
      { WHERRY_GATEWAY_PROT: '1' },
      'WHERRY_GATEWAY_PROT is not a setting (did you mean WHERRY_GATEWAY_PORT?); allowed is WHERRY_SECTION_KEY for a key of the schema (wherry config schema)',
    ],
    [
      { WHERRY_MASTERKEY: KEY },
      'WHERRY_MASTERKEY is not a setting (did you mean WHERRY_MASTER_KEY?); allowed is WHERRY_SECTION_KEY for a key of the schema (wherry config schema)',
    ],
    [
      { WHERRY_TOKENS_COLOUR_OF_THE_MOON: '1' },
      'WHERRY_TOKENS_COLOUR_OF_THE_MOON is not a setting; allowed is WHERRY_SECTION_KEY for a key of the schema (wherry config schema)',
    ],
    [
      { WHERRY_GATEWAY_PORT_FILE: '/x' },
      'WHERRY_GATEWAY_PORT_FILE is not a setting: what is no secret is not read from a file; allowed is WHERRY_GATEWAY_PORT',
    ],
    [
      { WHERRY_SHARDS_A_URL: 'postgres://h/d' },
      'WHERRY_SHARDS_A_URL is not a setting (did you mean WHERRY_SHARDS_URLS?); allowed is WHERRY_SECTION_KEY for a key of the schema (wherry config schema)',
    ],
  ])('environment %j', (environment, line) => {
    expect(refusal(environment)).toBe(line);
  });

  it('names the variable when the environment spoils what the file had right', () => {
    expect(refusal({ WHERRY_LOG_LEVEL: 'loud' }, { log: { level: 'info' } })).toMatch(/^log\.level \(WHERRY_LOG_LEVEL\) is "loud"/);
    expect(refusal({ WHERRY_LOG_LEVEL: 'info' }, { log: 'x' })).toMatch(/^log \(FILE\) is a text/);
  });
});

describe('secrets', () => {
  const postgres = 'postgres://u:hunter2@h:1/d';
  const long = 'hunter2'.repeat(6);
  const all: Environment = {
    WHERRY_MASTER_KEY: KEY,
    WHERRY_CONTROL_URL: postgres,
    WHERRY_SHARDS_URLS: `${postgres}, postgresql://h/e`,
    WHERRY_SOURCE_URL: 'redis://:hunter2@h:6379/1',
    WHERRY_REVOCATION_STREAM_URL: 'rediss://u:hunter2@h:6379',
    WHERRY_SOURCE_COOKIE_SECRETS: '["hunter2,new", "hunter2"]',
    WHERRY_SOURCE_ENCRYPTION_SECRET: 'hunter2',
    WHERRY_GATEWAY_UPSTREAM_SECRET: `${long},${long}x`,
    WHERRY_AUTH_CLIENTS: 'legacy-app',
    WHERRY_AUTH_CLIENT_LEGACY_APP_SECRET: long,
  };

  it('come from the environment', () => {
    const { config, ignored } = load(all);
    expect(config.masterKey?.reveal()).toEqual(Buffer.alloc(32, 7));
    expect(config.control.url?.reveal()).toBe(postgres);
    expect(config.shards.list.map(({ name, url }) => [name, url?.reveal()])).toEqual([
      ['shard0', postgres],
      ['shard1', 'postgresql://h/e'],
    ]);
    expect(config.source.url?.reveal()).toBe('redis://:hunter2@h:6379/1');
    expect(config.revocation.streamUrl?.reveal()).toBe('rediss://u:hunter2@h:6379');
    expect(config.source.cookieSecrets?.reveal()).toEqual(['hunter2,new', 'hunter2']);
    expect(config.source.encryptionSecret?.reveal()).toBe('hunter2');
    expect(config.gateway.upstreamSecrets?.reveal()).toEqual([long, `${long}x`]);
    expect(config.auth.clients[0]?.secret?.reveal()).toBe(long);
    expect(ignored).toEqual([]);
  });

  it('come from files just as well, without the line break at their end', () => {
    const environment = Object.fromEntries(
      Object.entries(all).map(([name, value]) =>
        name === 'WHERRY_AUTH_CLIENTS' ? [name, value] : [`${name}_FILE`, fileWith(`${value}\n`)],
      ),
    );
    expect(revealed(load(environment).config)).toEqual(revealed(load(all).config));
  });

  it('do not show when the configuration is printed', () => {
    const { config } = load(all);
    for (const text of [JSON.stringify(config), inspect(config, { depth: 9, showHidden: true }), String(config.control.url)])
      expect(text).not.toContain('hunter2');
    expect(inspect(config, { depth: 9, showHidden: true })).not.toContain('07 07');
  });

  it('are addressed shard by shard where the shards have names', () => {
    const list = { shards: { list: [{ name: 'eu-1' }, { name: 'us' }] } };
    const urls = { WHERRY_SHARDS_EU_1_URL: 'postgres://h/a', WHERRY_SHARDS_US_URL_FILE: fileWith('postgres://h/b') };
    expect(load(urls, list).config.shards.list.map(({ url }) => url?.reveal())).toEqual(['postgres://h/a', 'postgres://h/b']);
    expect(load({ WHERRY_SHARDS_URLS: 'postgres://h/a,postgres://h/b' }, list).config.shards.list.map(({ name }) => name)).toEqual([
      'eu-1',
      'us',
    ]);
    expect(refusal({ WHERRY_SHARDS_URLS: 'postgres://h/a' }, list)).toBe(
      'shards.urls (WHERRY_SHARDS_URLS) has 1 addresses; allowed is one for each of the 2 shards in shards.list',
    );
    expect(refusal({ ...urls, WHERRY_SHARDS_URLS: 'postgres://h/a,postgres://h/b' }, list)).toBe(
      'shards.eu-1.url is set twice; allowed is one of WHERRY_SHARDS_EU_1_URL and WHERRY_SHARDS_URLS',
    );
    expect(refusal({ WHERRY_SHARDS_EU1_URL: 'postgres://h/a' }, list)).toMatch(
      /^WHERRY_SHARDS_EU1_URL is not a setting \(did you mean WHERRY_SHARDS_EU_1_URL\?\)/,
    );
  });

  it.each<[unknown, string]>([
    [{ masterKey: 'hunter2' }, 'masterKey'],
    [{ control: { url: 'hunter2' } }, 'control.url'],
    [{ shards: { urls: ['hunter2'] } }, 'shards.urls'],
    [{ shards: { list: [{ name: 'a' }, { name: 'b', url: 'hunter2' }] } }, 'shards.list[1].url'],
    [{ source: { cookieSecrets: ['hunter2'] } }, 'source.cookieSecrets'],
    [{ source: { encryptionSecret: 'hunter2' } }, 'source.encryptionSecret'],
    [{ source: { url: 'redis://:hunter2@h' } }, 'source.url'],
    [{ gateway: { upstreamSecret: 'hunter2' } }, 'gateway.upstreamSecret'],
    [{ auth: { clients: [{ id: 'a', secret: 'hunter2' }] } }, 'auth.clients[0].secret'],
  ])('are refused in the file: %j', (content, key) => {
    const line = refusal({}, content);
    expect(line.startsWith(`${key} (FILE) `)).toBe(true);
    expect(line).toMatch(/may not stand in a file; allowed is WHERRY_/);
    expect(line).not.toContain('hunter2');
  });

  it.each<[Environment, unknown?]>([
    [{ WHERRY_MASTER_KEY: 'hunter2' }],
    [{ WHERRY_MASTER_KEY: `${KEY} hunter2` }],
    [{ WHERRY_MASTER_KEY: `${KEY.slice(0, -2)}hunter2` }],
    [{ WHERRY_MASTER_KEY: Buffer.from('hunter2hunter2').toString('base64') }],
    [{ WHERRY_MASTER_KEY: '' }],
    [{ WHERRY_MASTER_KEY: KEY, WHERRY_MASTER_KEY_FILE: 'hunter2' }],
    [{ WHERRY_MASTER_KEY_FILE: '/hunter2' }],
    [{ WHERRY_MASTER_KEY_FILE: '' }],
    [{ WHERRY_MASTER_KEY_FILE: '/hunter2\u0000' }],
    [{ WHERRY_CONTROL_URL: 'hunter2' }],
    [{ WHERRY_CONTROL_URL: 'mysql://u:hunter2@h/d' }],
    [{ WHERRY_CONTROL_URL: 'postgres://u:hunter2@h' }],
    [{ WHERRY_CONTROL_URL: 'postgres://u:hunter2@h/d\n' }],
    [{ WHERRY_SHARDS_URLS: 'postgres://u:hunter2@h/d,hunter2' }],
    [{ WHERRY_SHARDS_URLS: '["postgres://u:hunter2@h/d",7]' }],
    [{ WHERRY_SOURCE_URL: 'redis:hunter2@h' }],
    [{ WHERRY_SOURCE_URL: 'http://u:hunter2@h' }],
    [{ WHERRY_REVOCATION_STREAM_URL: 'hunter2' }],
    [{ WHERRY_REVOCATION_STREAM_URL: 'dynamodb:///hunter2?region=eu-west-1' }],
    [{ WHERRY_SOURCE_COOKIE_SECRETS: 'hunter2,,x' }],
    [{ WHERRY_SOURCE_COOKIE_SECRETS: '["hunter2"' }],
    [{ WHERRY_SOURCE_COOKIE_SECRETS: '[]' }],
    [{ WHERRY_GATEWAY_UPSTREAM_SECRET: 'hunter2' }],
    [{ WHERRY_AUTH_CLIENTS: 'a', WHERRY_AUTH_CLIENT_A_SECRET: 'hunter2' }],
    [{ WHERRY_AUTH_OPERATOR_SECRET: 'hunter2' }],
    [{ WHERRY_AUTH_OPERATOR_SECRET: `hunter2 ${long}` }],
    [{ WHERRY_AUTH_CLIENT_A_SECRET: long }, { auth: { clients: [{ id: 'a', public: true }] } }],
    [{}, { source: { url: 'redis//:hunter2@h' } }],
    [{}, { gateway: { routes: [{ prefix: '/', upstream: 'http://u:hunter2@h' }] } }],
    [{}, { gateway: { upstreamSecrett: 'hunter2' } }],
    [{}, { control: 'postgres://u:hunter2' }],
    [{}, '{"control":{"url":"hunter2"'],
    [{}, '{"hunter2'],
  ])('are not repeated in a refusal: %j %j', (environment, content) => {
    const line = refusal(environment, content);
    expect(line).not.toBe('accepted');
    expect(line).not.toContain('hunter2');
    expect(line).toContain('; allowed is ');
  });
});

/** Without what contradicts itself: keys in two places, and public clients with what those cannot have. */
function coherentClients(clients: unknown): unknown {
  return (clients as readonly ClientEntry[]).map(({ jwks, jwksFile, ...client }) =>
    client.public
      ? { ...client, operator: false, grants: client.grants.filter((grant) => grant !== 'client_credentials') }
      : { ...client, ...(client.operator ? { jwks } : { jwksFile }) },
  );
}

/** A configuration with its secrets laid open. */
function revealed(config: unknown): unknown {
  if (typeof config !== 'object' || config === null || Buffer.isBuffer(config)) return config;
  if ('reveal' in config && typeof config.reveal === 'function') return (config.reveal as () => unknown)();
  if (Array.isArray(config)) return config.map(revealed);
  return Object.fromEntries(Object.entries(config).map(([name, value]) => [name, revealed(value)]));
}
