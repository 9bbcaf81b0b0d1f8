import { Validator } from '@seriousme/openapi-schema-validator';
import { createMetrics } from '@wherry/core/metrics';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { advance } from '@wherry/rollout';
import { ExpressCookie, expressJsonDecoder, type SourceStore } from '@wherry/sessions';
import { createRedisSource } from '@wherry/sessions/redis';
import type { Cluster } from '@wherry/shards/testing';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { startAuthCluster } from '../testing/cluster.ts';
import { COOKIE_SECRET, startLegacyApp, type LegacyApp } from '../testing/legacy-app.ts';
import { OAUTH_CLIENTS, as } from '../testing/oauth-clients.ts';
import { PASSWORD, logIn, newName, register, type Login } from '../testing/people.ts';
import { COMMON, EXCHANGE, startService, type Answer, type Running } from '../testing/service.ts';

interface Operation {
  readonly summary?: string;
  readonly tags?: readonly string[];
  readonly requestBody?: { readonly content: Readonly<Record<string, unknown>> };
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, { readonly schema: object }>> }>>;
}

let cluster: Cluster;
let auth: Running;
let application: LegacyApp;
let store: SourceStore;
let paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
const cookie = new ExpressCookie({ secrets: [COOKIE_SECRET] });
const ajv = new Ajv2020({ strict: false, validateFormats: false });
/** Operations that were driven, with the kind of their answer: `GET /livez 2xx`. */
const driven = new Set<string>();

beforeAll(async () => {
  cluster = await startAuthCluster(inject('postgresUrl'));
  await advance(cluster.control, { expectedVersion: 1, actor: 'test' });
  const prefix = `openapi-${randomUUID()}:`;
  application = await startLegacyApp(inject('redisUrl'), prefix, 3600);
  store = createRedisSource({ url: inject('redisUrl'), prefix, timeoutMs: PATIENT_MS });
  const identity = { userId: 'user.id', username: 'user.name', authorities: ['user.roles', 'user.permissions'] };
  const source = { store, decode: expressJsonDecoder({ identity }), cookie };
  auth = await startService(cluster, { clients: OAUTH_CLIENTS, metrics: createMetrics(), source });
  paths = (await auth.send('GET', '/openapi.json')).body['paths'] as typeof paths;
});
afterAll(async () => {
  await auth[Symbol.asyncDispose]();
  await application[Symbol.asyncDispose]();
  await store.close();
  await cluster[Symbol.asyncDispose]();
});

const operations = (): [string, string, Operation][] =>
  Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): [string, string, Operation] => [method.toUpperCase(), path, operation]),
  );

/** Holds an answer against what is documented for its operation, status and media type. */
function hold(method: string, template: string, { status, headers, body, text }: Answer): void {
  const operation = paths[template]?.[method.toLowerCase()];
  const name = `${method} ${template} ${status}`;
  driven.add(`${method} ${template} ${Math.floor(status / 100)}xx`);
  const documented = operation?.responses[String(status)];
  expect([name, documented]).toEqual([name, expect.anything()]);
  const type = headers.get('content-type')?.split(';')[0];
  if (documented?.content === undefined) {
    expect([name, text]).toEqual([name, '']);
    return;
  }
  const { content } = documented;
  const schema = content[type ?? '']?.schema;
  expect([name, type, Object.keys(content)]).toEqual([name, expect.any(String), expect.arrayContaining([type])]);
  const isValid = ajv.compile(schema ?? false);
  expect([name, isValid(type?.endsWith('json') === true ? body : text), isValid.errors ?? [], text.slice(0, 300)]).toEqual([
    name,
    true,
    [],
    expect.anything(),
  ]);
}

describe('the description of the service', () => {
  it('is OpenAPI 3.1', async () => {
    const answer = await auth.send('GET', '/openapi.json');
    hold('GET', '/openapi.json', answer);
    expect(answer.body['openapi']).toBe('3.1.0');
    const { valid, errors } = await new Validator().validate(structuredClone(answer.body));
    expect([valid, errors]).toEqual([true, undefined]);
    for (const [method, path, { summary, tags, responses }] of operations()) {
      expect([method, path, summary?.length, tags?.length]).toEqual([method, path, expect.any(Number), 1]);
      expect([method, path, Object.keys(responses).some((status) => status.startsWith('2'))]).toEqual([method, path, true]);
    }
  });

  it('says where the service is, and how one proves who is calling', async () => {
    const { body } = await auth.send('GET', '/openapi.json');
    expect(body['servers']).toEqual([{ url: COMMON.issuer }]);
    const { securitySchemes } = body['components'] as { securitySchemes: object };
    const used = operations()
      .flatMap(([, , operation]) => Object.values(operation as { security?: object[] }))
      .flat()
      .filter((one): one is object => typeof one === 'object');
    expect(used.length).toBeGreaterThan(0);
    for (const { security = [] } of operations().map(([, , operation]) => operation as { security?: object[] }))
      for (const name of security.flatMap((alternative) => Object.keys(alternative))) expect(Object.keys(securitySchemes)).toContain(name);
  });
});

describe('every operation answers as it is described', () => {
  let login: Login;
  beforeAll(async () => {
    login = await logIn(auth);
  });
  const operator = { bearer: COMMON.operatorSecret };
  const call = async (
    method: string,
    template: string,
    options: Parameters<Running['send']>[2] & { readonly path?: string } = {},
  ): Promise<Answer> => {
    const answer = await auth.send(method, options.path ?? template, options);
    hold(method, template, answer);
    return answer;
  };
  const form = async (path: string, parameters: Record<string, string>, headers: Record<string, string> = {}): Promise<Answer> => {
    const answer = await auth.form(path, parameters, headers);
    hold('POST', path, answer);
    return answer;
  };

  it('registration and log-in', async () => {
    const body = { username: newName(), password: PASSWORD };
    expect((await call('POST', '/v1/users', { body })).status).toBe(201);
    expect((await call('POST', '/v1/users', { body })).status).toBe(409);
    expect((await call('POST', '/v1/users', { body: { ...body, authorities: ['x'] } })).status).toBe(401);
    expect((await call('POST', '/v1/users', { body: { ...body, authorities: ['x'] }, bearer: 'x' })).status).toBe(403);
    expect((await call('POST', '/v1/users', { body: { username: 'x' } })).status).toBe(400);
    expect((await call('POST', '/v1/users', { body: { username: 'x'.repeat(100_000) } })).status).toBe(413);
    expect((await call('POST', '/v1/login', { body })).status).toBe(200);
    expect((await call('POST', '/v1/login', { body: { ...body, password: 'wrong' } })).status).toBe(401);
    expect((await call('POST', '/v1/login', { body: { ...body, clientId: 'nobody' } })).status).toBe(401);
    expect((await call('POST', '/v1/login', { body: 'x', headers: { 'content-type': 'text/plain' } })).status).toBe(415);
  });

  it('the principal and log-out', async () => {
    expect((await call('GET', '/v1/whoami', { bearer: login.accessToken })).status).toBe(200);
    expect((await call('GET', '/v1/whoami', { bearer: login.sessionToken })).status).toBe(200);
    const service = await auth.exchange({ grant_type: 'client_credentials' }, as('batch'));
    expect((await call('GET', '/v1/whoami', { bearer: String(service.body['access_token']) })).status).toBe(200);
    for (const bearer of ['x', 'a.b.c', 'st_x']) expect((await call('GET', '/v1/whoami', { bearer })).status).toBe(401);
    expect((await call('GET', '/v1/whoami', { headers: { authorization: 'DPoP a.b.c', dpop: 'x' } })).status).toBe(401);
    expect((await call('GET', '/v1/whoami', { path: '/v1/whoami?access_token=x' })).status).toBe(400);
    for (const path of ['/v1/logout', '/v1/logout-everywhere']) {
      const { sessionToken } = await logIn(auth);
      expect((await call('POST', path, { bearer: sessionToken })).status).toBe(204);
      expect((await call('POST', path)).status).toBe(401);
    }
  });

  it('log-ins that are handed over', async () => {
    const body = { userId: 7, authorities: [], sourceSessionId: 'x' };
    const value = await application.signIn(3);
    const me = (await call('GET', '/v1/whoami', { headers: { cookie: `connect.sid=${value}` } })).body;
    const reading = cookie.verify(decodeURIComponent(value));
    const handed = {
      userId: me['userId'],
      authorities: me['authorities'],
      sourceSessionId: reading.outcome === 'verified' ? reading.rawId : '',
    };
    expect((await call('POST', '/v1/logins', { body: handed, headers: as('shop') })).status).toBe(200);
    expect((await call('POST', '/v1/logins', { body })).status).toBe(401);
    expect((await call('POST', '/v1/logins', { body, headers: as('shop') })).status).toBe(409);
    expect((await call('POST', '/v1/logins', { body: {}, headers: as('shop') })).status).toBe(400);
  });

  it('the endpoints of OAuth', async () => {
    const exchange = { grant_type: EXCHANGE, subject_token: login.sessionToken, subject_token_type: 'urn:wherry:token-type:session' };
    expect((await form('/oauth/token', exchange)).status).toBe(200);
    expect((await form('/oauth/token', { ...exchange, scope: 'user' })).status).toBe(200);
    expect((await form('/oauth/token', { grant_type: 'client_credentials' }, as('batch'))).status).toBe(200);
    for (const change of [
      { grant_type: 'x' },
      { subject_token: 'x' },
      { audience: 'x' },
      { scope: 'x' },
      { client_id: 'x' },
      { client_assertion: 'x' },
      { actor_token: 'x' },
      { subject_token_type: 'urn:ietf:params:oauth:token-type:access_token' },
    ])
      expect((await form('/oauth/token', { ...exchange, ...change })).status).toBeGreaterThanOrEqual(400);
    expect((await form('/oauth/token', exchange, { dpop: 'x' })).status).toBe(400);
    expect((await form('/oauth/token', exchange, { 'content-type': 'application/json' })).status).toBe(415);
    expect((await form('/oauth/token', exchange, as('watch'))).status).toBe(400);
    for (const token of [login.accessToken, login.sessionToken, 'x']) {
      expect((await form('/oauth/introspect', { token }, as('watch'))).status).toBe(200);
      expect((await form('/oauth/introspect', { token }, { ...as('watch'), accept: 'application/token-introspection+jwt' })).status).toBe(
        200,
      );
      expect((await form('/oauth/introspect', { token })).status).toBe(401);
      expect((await form('/oauth/revoke', { token }, { authorization: 'Basic x' })).status).toBe(401);
    }
    expect((await form('/oauth/introspect', {}, as('watch'))).status).toBe(400);
    const other = await logIn(auth);
    for (const token of [other.accessToken, other.sessionToken, 'x']) expect((await form('/oauth/revoke', { token })).status).toBe(200);
    expect((await form('/oauth/revoke', {})).status).toBe(400);
    expect((await call('GET', '/.well-known/oauth-authorization-server')).status).toBe(200);
  });

  it('what operators do', async () => {
    const { userId } = await register(auth);
    const revoke = { path: `/v1/admin/users/${userId}/revoke`, body: { reason: 'test' } };
    expect((await call('POST', '/v1/admin/users/{id}/revoke', { ...revoke, ...operator })).status).toBe(200);
    expect((await call('POST', '/v1/admin/users/{id}/revoke', revoke)).status).toBe(401);
    expect((await call('POST', '/v1/admin/users/{id}/revoke', { ...revoke, ...operator, body: {} })).status).toBe(400);
    const change = { path: `/v1/admin/users/${userId}/authorities`, body: { authorities: ['user'], reason: 'test' } };
    expect((await call('POST', '/v1/admin/users/{id}/authorities', { ...change, ...operator })).status).toBe(200);
    expect((await call('POST', '/v1/admin/users/{id}/authorities', { ...change, headers: as('shop') })).status).toBe(403);
    expect(
      (await call('POST', '/v1/admin/users/{id}/authorities', { ...change, ...operator, path: '/v1/admin/users/1/authorities' })).status,
    ).toBe(404);
  });

  it('users kept out and let in again, and all tokens ended', async () => {
    const { userId } = await register(auth);
    for (const [act, wrong] of [
      ['disable', {}],
      ['enable', {}],
    ] as const) {
      const template = `/v1/admin/users/{id}/${act}`;
      const path = `/v1/admin/users/${userId}/${act}`;
      expect((await call('POST', template, { path, body: { reason: 'test' }, ...operator })).status).toBe(200);
      expect((await call('POST', template, { path, body: wrong, ...operator })).status).toBe(400);
      expect((await call('POST', template, { path, body: { reason: 'test' } })).status).toBe(401);
    }
    // A moment that no token of this test is of.
    expect((await call('POST', '/v1/admin/issuer/revoke', { body: { reason: 'test', notBefore: 1 }, ...operator })).status).toBe(200);
    expect((await call('POST', '/v1/admin/issuer/revoke', { body: {}, ...operator })).status).toBe(400);
  });

  it("a change of one's password", async () => {
    const { sessionToken } = await logIn(auth);
    const path = '/v1/users/me/password';
    const body = { oldPassword: PASSWORD, newPassword: 'another horse battery', staySignedIn: true };
    expect((await call('POST', path, { body })).status).toBe(401);
    expect((await call('POST', path, { body: { ...body, newPassword: 'x' }, bearer: sessionToken })).status).toBe(400);
    expect((await call('POST', path, { body: { ...body, oldPassword: 'wrong' }, bearer: sessionToken })).status).toBe(403);
    expect((await call('POST', path, { body, bearer: sessionToken })).status).toBe(200);
  });

  it('keys, probes and numbers', async () => {
    const keys = await call('GET', '/.well-known/jwks.json');
    const etag = keys.headers.get('etag') ?? '';
    expect((await call('GET', '/.well-known/jwks.json', { headers: { 'if-none-match': etag } })).status).toBe(304);
    expect((await call('GET', '/livez')).status).toBe(200);
    expect((await call('GET', '/readyz')).status).toBe(200);
    expect((await call('GET', '/metrics')).status).toBe(200);
    const answer = await auth.send('GET', '/openapi.json');
    hold('GET', '/openapi.json', answer);
  });

  it('and none was left out', () => {
    for (const [method, path, { requestBody, responses }] of operations()) {
      const name = `${method} ${path}`;
      expect([name, driven.has(`${name} 2xx`)]).toEqual([name, true]);
      // What takes anything can refuse it.
      const refuses = requestBody !== undefined && Object.keys(responses).some((status) => status.startsWith('4'));
      if (refuses) expect([name, driven.has(`${name} 4xx`)]).toEqual([name, true]);
    }
  });
});
