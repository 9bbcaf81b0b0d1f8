import { advance } from '@wherry/rollout';
import type { Cluster } from '@wherry/shards/testing';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { clientKey, proof, type ClientKey, type Proof } from '../testing/client-key.ts';
import { startAuthCluster } from '../testing/cluster.ts';
import { claims, logIn } from '../testing/people.ts';
import { COMMON, basicHeader, startService, type Answer, type Running } from '../testing/service.ts';

const SERVICE = { grant_type: 'client_credentials' };

let cluster: Cluster;
let auth: Running;
let other: Running;
let keys: Record<'ES256' | 'RS256' | 'EdDSA' | 'stranger', ClientKey>;
beforeAll(async () => {
  cluster = await startAuthCluster(inject('postgresUrl'));
  await advance(cluster.control, { expectedVersion: 1, actor: 'test' });
  keys = {
    ES256: await clientKey('ES256'),
    RS256: await clientKey('RS256'),
    EdDSA: await clientKey('EdDSA'),
    stranger: await clientKey('ES256'),
  };
  const { kid: _kid, alg: _alg, ...bare } = keys.EdDSA.publicJwk;
  const clients = [
    ...(COMMON.clients ?? []),
    { id: 'batch', keys: [keys.ES256.publicJwk, keys.RS256.publicJwk, bare], grants: ['client_credentials'], authorities: ['stock:read'] },
    { id: 'twin', keys: [keys.stranger.publicJwk], grants: ['client_credentials'] },
  ] as const;
  auth = await startService(cluster, { clients });
  other = await startService(cluster, { clients });
});
afterAll(async () => {
  await auth[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
});

const tryWith = async (parameters: Readonly<Record<string, string>>, at: Running = auth): Promise<Answer> =>
  at.exchange({ ...SERVICE, ...parameters });
const refusalOf = ({ status, body }: Answer): unknown[] => [status, body['error'], body['code']];
const REFUSED = [401, 'invalid_client', 'client_unauthenticated'];
const seconds = (): number => Math.floor(Date.now() / 1000);

describe('a client assertion', () => {
  it.each(['ES256', 'RS256', 'EdDSA'] as const)('signed with %s proves the client, for the issuer or the token endpoint', async (alg) => {
    for (const aud of [COMMON.issuer, [COMMON.issuer], `${COMMON.issuer}/oauth/token`]) {
      const answer = await tryWith(await keys[alg].prove('batch', { aud }));
      expect(answer.status).toBe(200);
      expect(claims(answer.body['access_token'])).toMatchObject({ sub: 'client:batch', client_id: 'batch', authorities: ['stock:read'] });
    }
    // Without a kid every key of the algorithm is tried.
    expect((await tryWith(await keys[alg].prove('batch', {}, { kid: undefined, typ: 'JWT' }))).status).toBe(200);
  });

  it('counts once, on whichever instance, and once among many at a time', async () => {
    const assertion = await keys.ES256.prove('batch');
    expect((await tryWith(assertion)).status).toBe(200);
    for (const at of [auth, other]) {
      const again = await tryWith(assertion, at);
      expect(refusalOf(again)).toEqual(REFUSED);
      expect(again.body['error_description']).toContain('used before');
    }
    const race = await keys.ES256.prove('batch');
    const answers = await Promise.all(Array.from({ length: 20 }, async (_, n) => tryWith(race, n % 2 === 0 ? auth : other)));
    expect(answers.filter(({ status }) => status === 200).length).toBe(1);
    // Another assertion of the same name under another client is another one.
    const jti = 'same';
    expect((await tryWith(await keys.ES256.prove('batch', { jti }))).status).toBe(200);
    expect((await tryWith(await keys.stranger.prove('twin', { jti }))).status).toBe(200);
    expect(refusalOf(await tryWith(await keys.RS256.prove('batch', { jti })))).toEqual(REFUSED);
  });

  it('is refused for claims that are not those of RFC 7523, with the reason', async () => {
    const now = seconds();
    const cases: [Record<string, unknown>, string][] = [
      [{ aud: 'https://other.test' }, 'aud'],
      [{ aud: [COMMON.issuer, 'https://other.test'] }, 'aud'],
      [{ aud: [] }, 'aud'],
      [{ aud: undefined }, 'aud'],
      [{ aud: `${COMMON.issuer}/` }, 'aud'],
      [{ exp: undefined }, 'exp'],
      [{ exp: now - 120 }, 'expired'],
      [{ exp: now + 3600 }, '600 seconds'],
      [{ exp: String(now + 60) }, 'exp'],
      [{ exp: now + 60.5 }, 'exp'],
      [{ nbf: now + 120 }, 'future'],
      [{ iat: now + 120 }, 'future'],
      [{ iat: 'now' }, 'future'],
      [{ jti: undefined }, 'jti'],
      [{ jti: '' }, 'jti'],
      [{ jti: 'x'.repeat(257) }, 'jti'],
    ];
    for (const [change, why] of cases) {
      const answer = await tryWith(await keys.ES256.prove('batch', change));
      expect([...refusalOf(answer), JSON.stringify(change)]).toEqual([...REFUSED, JSON.stringify(change)]);
      expect(answer.body['error_description']).toContain(why);
    }
    const typed = await tryWith(await keys.ES256.prove('batch', {}, { typ: 'at+jwt' }));
    expect([...refusalOf(typed), typed.body['error_description']]).toEqual([...REFUSED, expect.stringContaining('typ')]);
  });

  it('is refused alike by whatever is wrong before its signature holds, also for a client that there is not', async () => {
    const good = (await keys.ES256.prove('batch')).client_assertion;
    const [head = '', payload = '', signature = ''] = good.split('.');
    const now = seconds();
    const body = { iss: 'batch', sub: 'batch', aud: COMMON.issuer, jti: 'a', exp: now + 60 };
    const es = `{"alg":"ES256","kid":"${keys.ES256.kid}"}`;
    const embedded = JSON.stringify({ alg: 'ES256', jwk: keys.stranger.publicJwk });
    const attempts: (string | Promise<Proof>)[] = [
      keys.stranger.prove('batch'),
      keys.stranger.prove('batch', {}, { kid: keys.ES256.kid }),
      keys.stranger.prove('nobody'),
      keys.ES256.prove('nobody'),
      keys.ES256.prove('batch', { iss: 'twin' }),
      keys.ES256.prove('twin'),
      keys.ES256.prove('batch', { sub: ['batch'] }),
      keys.ES256.prove('shop'),
      keys.ES256.prove('__proto__'),
      keys.stranger.sign(embedded, JSON.stringify(body)),
      keys.ES256.sign(`{"alg":"ES256","kid":"${keys.ES256.kid}","crit":["x"],"x":1}`, JSON.stringify(body)),
      keys.ES256.sign(`{"alg":"ES256","jku":"http://127.0.0.1:1/"}`, JSON.stringify(body)),
      keys.ES256.sign(es, '[]'),
      keys.ES256.sign(es, `{"iss":"batch","sub":"twin","sub":"batch","aud":"${COMMON.issuer}","jti":"d","exp":${now + 60}}`),
      `${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload}.`,
      `${Buffer.from(`{"alg":"HS256","kid":"${keys.ES256.kid}"}`).toString('base64url')}.${payload}.${signature}`,
      `${head}.${payload}.`,
      `${head}.${payload}`,
      `${good}.`,
      `${good}A`,
      'x'.repeat(9000),
      'ü.ü.ü',
    ];
    const answers = new Set<string>();
    for (const attempt of attempts) {
      const answer = await tryWith(typeof attempt === 'string' ? proof(attempt) : await attempt);
      expect(refusalOf(answer)).toEqual(REFUSED);
      answers.add(`${answer.text} ${answer.headers.get('www-authenticate')}`);
    }
    expect(answers.size).toBe(1);
    // Nothing that was refused has used it up.
    expect((await tryWith(proof(good))).status).toBe(200);
  });

  it('comes alone: with its type, and with no other proof', async () => {
    const { client_assertion, client_assertion_type } = await keys.ES256.prove('batch');
    const basic = { authorization: basicHeader('shop', 'shop secret') };
    const cases: [Record<string, string>, Record<string, string>][] = [
      [{ client_assertion }, {}],
      [{ client_assertion_type }, {}],
      [{ client_assertion, client_assertion_type: 'urn:other' }, {}],
      [{ client_assertion, client_assertion_type }, basic],
      [{ client_assertion, client_assertion_type, client_secret: 'x' }, {}],
      [{ client_secret: 'x' }, basic],
      [{ client_assertion, client_assertion_type, client_id: 'twin' }, {}],
    ];
    for (const [parameters, headers] of cases)
      expect(refusalOf(await auth.exchange({ ...SERVICE, ...parameters }, headers))).toEqual([400, 'invalid_request', 'bad_request']);
    // The last of them was used up by proving the wrong client.
    expect((await tryWith({ ...(await keys.ES256.prove('batch')), client_id: 'batch' })).status).toBe(200);
  });

  it('is not an access token of a user, nor one of the service itself', async () => {
    const { accessToken } = await logIn(auth);
    const own = String((await tryWith(await keys.ES256.prove('batch'))).body['access_token']);
    for (const token of [accessToken, own]) expect(refusalOf(await tryWith(proof(token)))).toEqual(REFUSED);
  });
});

describe('what was used', () => {
  it('is forgotten when it has expired for every clock, and not before', async () => {
    const count = async (): Promise<unknown> => (await cluster.control.query('SELECT count(*)::int AS n FROM client_assertion')).rows;
    expect((await tryWith(await keys.ES256.prove('batch'))).status).toBe(200);
    const before = await count();
    await cluster.control.query('INSERT INTO client_assertion (digest, expire_time) VALUES ($1, 1)', [Buffer.from('old')]);
    await using _upkeep = await startService(cluster, { upkeepMs: 20 });
    await vi.waitFor(async () => expect(await count()).toEqual(before));
  });
});
