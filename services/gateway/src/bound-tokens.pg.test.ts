import { createHash, generateKeyPairSync, randomUUID, sign, type KeyObject } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { jwkThumbprint } from '@wherry/tokens';
import { Workbench, echo, type RunningGateway, type Seen } from './testing/workbench.ts';

const ORIGIN = 'https://api.example.com';
let bench: Workbench;
let gateway: RunningGateway;
const seen: Seen[] = [];
beforeAll(async () => {
  bench = await Workbench.create(inject('postgresUrl'));
  const upstream = await bench.upstream(echo(seen));
  gateway = await bench.gateway({
    origin: ORIGIN,
    routes: [{ prefix: '/api', upstream: upstream.url }],
    forwardAuth: { uriHeader: 'x-forwarded-uri' },
  });
});
afterAll(async () => bench[Symbol.asyncDispose]());

interface Key {
  readonly privateKey: KeyObject;
  readonly jwk: { readonly kty: string; readonly crv: string; readonly x: string; readonly y: string };
  readonly jkt: string;
}

function newKey(): Key {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { kty = '', crv = '', x = '', y = '' } = publicKey.export({ format: 'jwk' });
  const jwk = { kty, crv, x, y };
  return { privateKey, jwk, jkt: jwkThumbprint(jwk) };
}

/** A proof as a client makes it (RFC 9449 section 4.2). */
function proofOf(key: Key, token: string, method: string, path: string, origin = ORIGIN): string {
  const json = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = {
    jti: randomUUID(),
    htm: method,
    htu: `${origin}${path}`,
    iat: Math.floor(Date.now() / 1000),
    ath: createHash('sha256').update(token).digest('base64url'),
  };
  const input = `${json({ typ: 'dpop+jwt', alg: 'ES256', jwk: key.jwk })}.${json(claims)}`;
  return `${input}.${sign('sha256', Buffer.from(input), { key: key.privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

const key = newKey();
const bound = (): string => gateway.issue({ cnf: { jkt: key.jkt } });
const call = (headers: Readonly<Record<string, string>>, path = '/api/x', method = 'GET'): Promise<Response> =>
  fetch(`${gateway.url}${path}`, { method, headers });
const reason = (answer: Response): [number, string | null, string | null] => [
  answer.status,
  answer.headers.get('x-wherry-reason'),
  answer.headers.get('www-authenticate'),
];

describe('a token that is bound to a key', () => {
  it('passes with a proof for this very request, and once', async () => {
    const token = bound();
    const headers = { authorization: `DPoP ${token}`, dpop: proofOf(key, token, 'GET', '/api/x') };
    expect((await call(headers)).status).toBe(200);
    expect(seen.at(-1)?.headers['x-wherry-user-id']).toBe('42');
    expect(reason(await call(headers))).toEqual([401, 'dpop_proof_replayed', 'DPoP error="invalid_dpop_proof"']);
  });

  it.each<[string, (token: string) => Record<string, string>, string]>([
    ['as a plain bearer', (token) => ({ authorization: `Bearer ${token}` }), 'token_bound'],
    ['without a proof', (token) => ({ authorization: `DPoP ${token}` }), 'dpop_proof_malformed'],
    [
      'with a proof of another key',
      (token) => ({ authorization: `DPoP ${token}`, dpop: proofOf(newKey(), token, 'GET', '/api/x') }),
      'dpop_key_wrong',
    ],
    [
      'with a proof for another method',
      (token) => ({ authorization: `DPoP ${token}`, dpop: proofOf(key, token, 'POST', '/api/x') }),
      'dpop_proof_mismatch',
    ],
    [
      'with a proof for another path',
      (token) => ({ authorization: `DPoP ${token}`, dpop: proofOf(key, token, 'GET', '/api/y') }),
      'dpop_proof_mismatch',
    ],
    [
      'with a proof for another host, whatever Host says',
      (token) => ({
        authorization: `DPoP ${token}`,
        host: 'evil.example',
        dpop: proofOf(key, token, 'GET', '/api/x', 'https://evil.example'),
      }),
      'dpop_proof_mismatch',
    ],
    [
      'with a proof for another token',
      (token) => ({ authorization: `DPoP ${token}`, dpop: proofOf(key, bound(), 'GET', '/api/x') }),
      'dpop_proof_mismatch',
    ],
  ])('is refused %s', async (_, headers, code) => {
    expect(reason(await call(headers(bound()))).slice(0, 2)).toEqual([401, code]);
  });

  it('is what the scheme is for: neither other tokens nor sessions pass by it', async () => {
    const plain = gateway.issue();
    const headers = { authorization: `DPoP ${plain}`, dpop: proofOf(key, plain, 'GET', '/api/x') };
    expect(reason(await call(headers)).slice(0, 2)).toEqual([401, 'token_bound']);
    expect(reason(await call({ authorization: 'DPoP st_abc' })).slice(0, 2)).toEqual([401, 'credential_unknown']);
  });

  it('passes a check of another proxy with a proof for the request that is asked about', async () => {
    const token = bound();
    const ask = (proof: string, extra: Readonly<Record<string, string>> = {}): Promise<Response> =>
      call(
        { authorization: `DPoP ${token}`, dpop: proof, 'x-forwarded-uri': '/orders?x=1', 'x-forwarded-method': 'POST', ...extra },
        '/auth',
      );
    expect((await ask(proofOf(key, token, 'POST', '/orders'))).status).toBe(200);
    expect(reason(await ask(proofOf(key, token, 'GET', '/auth'))).slice(0, 2)).toEqual([401, 'dpop_proof_mismatch']);
    expect(reason(await ask(proofOf(key, token, 'POST', '/orders'), { 'x-original-method': 'POST' })).slice(0, 2)).toEqual([
      401,
      'dpop_proof_mismatch',
    ]);
  });

  it('is refused where nobody has said how the gateway is addressed', async () => {
    const other = await bench.gateway({});
    const token = other.issue({ cnf: { jkt: key.jkt } });
    const answer = await fetch(`${other.url}/auth`, {
      headers: { authorization: `DPoP ${token}`, dpop: proofOf(key, token, 'GET', '/auth') },
    });
    expect(reason(answer).slice(0, 2)).toEqual([401, 'token_bound']);
  });
});
