import { advance } from '@wherry/rollout';
import type { Cluster } from '@wherry/shards/testing';
import { createLocalJWKSet, jwtVerify, type JSONWebKeySet } from 'jose';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { clientKey } from '../testing/client-key.ts';
import { startAuthCluster } from '../testing/cluster.ts';
import { OAUTH_CLIENTS, as } from '../testing/oauth-clients.ts';
import { logIn } from '../testing/people.ts';
import { proofKey } from '../testing/proof-key.ts';
import { COMMON, startService, type Answer, type Running } from '../testing/service.ts';
import { GRANT_TYPES } from './grant-types.ts';
import { publicUrlOf } from './public-url.ts';

const ALGORITHMS = ['ES256', 'RS256', 'EdDSA'] as const;
const WELL_KNOWN = '/.well-known/oauth-authorization-server';

let cluster: Cluster;
let auth: Running;
let metadata: Readonly<Record<string, unknown>>;
beforeAll(async () => {
  cluster = await startAuthCluster(inject('postgresUrl'));
  await advance(cluster.control, { expectedVersion: 1, actor: 'test' });
  auth = await startService(cluster, { clients: OAUTH_CLIENTS });
  metadata = (await auth.send('GET', WELL_KNOWN)).body;
});
afterAll(async () => {
  await auth[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
});

/** The path of an address of the document, which has to be below the issuer. */
const pathOf = (name: string): string => {
  const url = String(metadata[name]);
  expect(url.startsWith(`${COMMON.issuer}/`)).toBe(true);
  return url.slice(COMMON.issuer.length);
};
const list = (name: string): string[] => metadata[name] as string[];

describe('the metadata', () => {
  it('says the issuer exactly as tokens do, and may be kept', async () => {
    const answer = await auth.send('GET', WELL_KNOWN);
    expect([answer.status, answer.headers.get('content-type'), answer.headers.get('cache-control')]).toEqual([
      200,
      expect.stringContaining('application/json'),
      'public, max-age=3600',
    ]);
    expect(metadata['issuer']).toBe(COMMON.issuer);
  });

  it('names nothing that this test does not hold against the service', () => {
    expect(Object.keys(metadata).toSorted()).toEqual([
      'dpop_signing_alg_values_supported',
      'grant_types_supported',
      'introspection_endpoint',
      'introspection_endpoint_auth_methods_supported',
      'introspection_endpoint_auth_signing_alg_values_supported',
      'introspection_signing_alg_values_supported',
      'issuer',
      'jwks_uri',
      'response_types_supported',
      'revocation_endpoint',
      'revocation_endpoint_auth_methods_supported',
      'revocation_endpoint_auth_signing_alg_values_supported',
      'token_endpoint',
      'token_endpoint_auth_methods_supported',
      'token_endpoint_auth_signing_alg_values_supported',
    ]);
    expect(metadata['response_types_supported']).toEqual([]);
  });

  it('has addresses that answer', async () => {
    expect((await auth.send('GET', pathOf('jwks_uri'))).body['keys']).toEqual([expect.objectContaining({ kty: 'EC' })]);
    for (const name of ['token_endpoint', 'introspection_endpoint', 'revocation_endpoint']) {
      const answer = await auth.form(pathOf(name), {}, as('watch'));
      expect([name, answer.status, answer.body['error']]).toEqual([name, 400, 'invalid_request']);
    }
  });

  it('has every grant that is offered, and no other', async () => {
    const batch = as('batch');
    const offered = async (grant: string): Promise<boolean> =>
      (await auth.exchange({ grant_type: grant }, batch)).body['error'] !== 'unsupported_grant_type';
    for (const grant of list('grant_types_supported')) expect([grant, await offered(grant)]).toEqual([grant, true]);
    expect(list('grant_types_supported')).toEqual([...GRANT_TYPES.keys()].filter((grant) => !grant.endsWith('expired-access-token')));
  });

  it('has every way in which clients prove who they are, with every algorithm', async () => {
    const keys = await Promise.all(ALGORITHMS.map(async (alg) => clientKey(alg)));
    const clients = [...OAUTH_CLIENTS, { id: 'signer', keys: keys.map(({ publicJwk }) => publicJwk) }];
    await using signing = await startService(cluster, { clients });
    for (const name of ['token', 'introspection', 'revocation']) {
      const path = pathOf(`${name}_endpoint`);
      const withToken = { token: 'x', grant_type: 'x' };
      const errorOf = ({ body }: Answer): unknown => body['error'];
      const ways: Record<string, Answer> = {
        client_secret_basic: await signing.form(path, withToken, as('watch')),
        none: await signing.form(path, { ...withToken, client_id: 'page' }),
        client_secret_post: await signing.form(path, { ...withToken, client_id: 'watch', client_secret: 'watch secret' }),
      };
      for (const [at, alg] of ALGORITHMS.entries()) {
        const proof = await keys[at]?.prove('signer');
        ways['private_key_jwt'] = await signing.form(path, { ...withToken, ...proof });
        expect([alg, errorOf(ways['private_key_jwt'])]).not.toEqual([alg, 'invalid_client']);
      }
      const accepted = Object.entries(ways).flatMap(([way, answer]) => (errorOf(answer) === 'invalid_client' ? [] : [way]));
      expect(list(`${name}_endpoint_auth_methods_supported`).toSorted()).toEqual(accepted.toSorted());
      expect(list(`${name}_endpoint_auth_signing_alg_values_supported`)).toEqual(ALGORITHMS);
    }
  });

  it('has every algorithm of proofs and of signed answers', async () => {
    expect(list('dpop_signing_alg_values_supported')).toEqual(ALGORITHMS);
    const key = await proofKey();
    const bound = await auth.exchange(
      { grant_type: 'client_credentials' },
      { ...as('batch'), ...(await key.proof('POST', String(metadata['token_endpoint']))) },
    );
    expect(bound.body['token_type']).toBe('DPoP');
    expect(list('introspection_signing_alg_values_supported')).toEqual(ALGORITHMS);
    for (const algorithm of ALGORITHMS) {
      // A new cluster: the algorithm of the key that signs is decided when it is made.
      await using apart = await startAuthCluster(inject('postgresUrl'));
      await using signing = await startService(apart, { algorithm, clients: OAUTH_CLIENTS });
      const { text } = await signing.form(
        '/oauth/introspect',
        { token: 'x' },
        { ...as('watch'), accept: 'application/token-introspection+jwt' },
      );
      const keys = createLocalJWKSet((await signing.send('GET', '/.well-known/jwks.json')).body as unknown as JSONWebKeySet);
      expect((await jwtVerify(text, keys)).protectedHeader.alg).toBe(algorithm);
    }
  });

  it('is found where RFC 8414 puts it for an issuer with a path, and at the address that is set', async () => {
    await using tenant = await startService(cluster, { issuer: 'https://auth.test/tenant/a', publicUrl: 'https://login.test/' });
    for (const path of [WELL_KNOWN, `${WELL_KNOWN}/tenant/a`]) {
      const { status, body } = await tenant.send('GET', path);
      expect([status, body['issuer'], body['token_endpoint']]).toEqual([
        200,
        'https://auth.test/tenant/a',
        'https://login.test/oauth/token',
      ]);
    }
    expect((await tenant.send('GET', `${WELL_KNOWN}/tenant`)).status).toBe(404);
  });

  it('is not there where nobody has said where the service is; the Host header does not say it', async () => {
    await using nameless = await startService(cluster, { issuer: 'wherry' });
    expect((await nameless.send('GET', WELL_KNOWN)).status).toBe(404);
    const description = await nameless.send('GET', '/openapi.json', { headers: { 'x-forwarded-host': 'evil.test' } });
    expect([description.body['servers'], description.text]).toEqual([undefined, expect.not.stringContaining('evil.test')]);
  });

  it.each(['ftp://a', 'https://u:p@a', 'https://a?x', 'https://a#x', 'a', ''])('has no address %j', (publicUrl) => {
    expect(() => publicUrlOf({ issuer: 'wherry', publicUrl })).toThrow('publicUrl');
    expect(publicUrlOf({ issuer: publicUrl })).toBeUndefined();
  });
});

describe('the published keys', () => {
  it('are not sent again to whoever has them, until they change', async () => {
    const first = await auth.send('GET', '/.well-known/jwks.json');
    const etag = first.headers.get('etag') ?? '';
    const status = async (value: string): Promise<number> =>
      (await auth.send('GET', '/.well-known/jwks.json', { headers: { 'if-none-match': value } })).status;
    expect([await status(etag), await status(`W/${etag}`), await status(`"x", ${etag}`), await status('*')]).toEqual([304, 304, 304, 304]);
    expect([await status('"x"'), await status('')]).toEqual([200, 200]);
    const same = await auth.send('GET', '/.well-known/jwks.json', { headers: { 'if-none-match': etag } });
    expect([same.text, same.headers.get('etag'), same.headers.get('cache-control')]).toEqual(['', etag, 'public, max-age=300']);
    await using _other = await startService(cluster, { keyMode: 'process' });
    await vi.waitFor(async () => expect(await status(etag)).toBe(200));
    expect((await logIn(auth)).accessToken).toMatch(/^eyJ/);
  });
});
