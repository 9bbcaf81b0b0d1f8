import { advance } from '@wherry/rollout';
import type { Cluster } from '@wherry/shards/testing';
import { request } from 'node:http';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { startAuthCluster } from '../testing/cluster.ts';
import { OAUTH_CLIENTS, as } from '../testing/oauth-clients.ts';
import { claims, logIn, type Login } from '../testing/people.ts';
import { proofKey, type ProofKey } from '../testing/proof-key.ts';
import { COMMON, EXCHANGE, startService, type Answer, type Running } from '../testing/service.ts';

const TOKEN = `${COMMON.issuer}/oauth/token`;
const WHOAMI = `${COMMON.issuer}/v1/whoami`;
const ACCESS = 'urn:ietf:params:oauth:token-type:access_token';

let cluster: Cluster;
let auth: Running;
let mine: ProofKey;
let thiefs: ProofKey;
beforeAll(async () => {
  cluster = await startAuthCluster(inject('postgresUrl'));
  await advance(cluster.control, { expectedVersion: 1, actor: 'test' });
  auth = await startService(cluster, { clients: OAUTH_CLIENTS });
  mine = await proofKey();
  thiefs = await proofKey();
});
afterAll(async () => {
  await auth[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
});

const ofSession = async ({ sessionToken }: Login, headers: Record<string, string>, at = auth): Promise<Answer> =>
  at.exchange({ grant_type: EXCHANGE, subject_token: sessionToken, subject_token_type: 'urn:wherry:token-type:session' }, headers);
const ofToken = async (token: string, headers: Record<string, string>): Promise<Answer> =>
  auth.exchange({ grant_type: EXCHANGE, subject_token: token, subject_token_type: ACCESS }, headers);
const refusalOf = ({ status, body }: Answer): unknown[] => [status, body['error'], body['code']];
const bound = async (login: Login): Promise<string> =>
  String((await ofSession(login, await mine.proof('POST', TOKEN))).body['access_token']);

describe('a proof of possession at the token endpoint', () => {
  it('binds the token to its key, of a user and of a service', async () => {
    const answer = await ofSession(await logIn(auth), await mine.proof('POST', TOKEN));
    expect([answer.status, answer.body['token_type'], claims(answer.body['access_token'])['cnf']]).toEqual([
      200,
      'DPoP',
      { jkt: mine.jkt },
    ]);
    const service = await auth.exchange({ grant_type: 'client_credentials' }, { ...as('batch'), ...(await mine.proof('POST', TOKEN)) });
    expect([service.body['token_type'], claims(service.body['access_token'])['cnf']]).toEqual(['DPoP', { jkt: mine.jkt }]);
  });

  it('is refused for another request, when it is old, forged, shown twice or there twice', async () => {
    const login = await logIn(auth);
    const now = Math.floor(Date.now() / 1000);
    const used = await mine.proof('POST', TOKEN);
    expect((await ofSession(login, used)).status).toBe(200);
    const forged = (await mine.proof('POST', TOKEN))['dpop'] ?? '';
    const cases: [Record<string, string>, string][] = [
      [await mine.proof('GET', TOKEN), 'dpop_proof_mismatch'],
      [await mine.proof('POST', `${auth.url}/oauth/token`), 'dpop_proof_mismatch'],
      [await mine.proof('POST', WHOAMI), 'dpop_proof_mismatch'],
      [await mine.proof('POST', TOKEN, { iat: now - 3600 }), 'dpop_proof_untimely'],
      [await mine.proof('POST', TOKEN, { iat: now + 3600 }), 'dpop_proof_untimely'],
      [used, 'dpop_proof_replayed'],
      [{ dpop: 'x' }, 'dpop_proof_malformed'],
      [{ dpop: '' }, 'dpop_proof_malformed'],
      [{ dpop: `${forged.slice(0, -4)}AAAA` }, 'dpop_signature_invalid'],
    ];
    for (const [headers, code] of cases) expect(refusalOf(await ofSession(login, headers))).toEqual([400, 'invalid_dpop_proof', code]);
    // fetch joins headers of one name; a client of another kind need not.
    const call = request(TOKEN.replace(COMMON.issuer, auth.url), {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', dpop: [forged, forged] },
    });
    call.end(
      new URLSearchParams({
        grant_type: EXCHANGE,
        subject_token: login.sessionToken,
        subject_token_type: 'urn:wherry:token-type:session',
      }).toString(),
    );
    const [response] = (await once(call, 'response')) as [{ statusCode?: number; resume(): void }];
    response.resume();
    expect(response.statusCode).toBe(400);
  });

  it('with another key, or none, makes nothing of a token that is bound', async () => {
    const login = await logIn(auth);
    const token = await bound(login);
    for (const headers of [{}, as('desk'), await thiefs.proof('POST', TOKEN), { ...as('desk'), ...(await thiefs.proof('POST', TOKEN)) }])
      expect(refusalOf(await ofToken(token, headers))).toEqual([400, 'invalid_grant', 'token_bound']);
    const again = await ofToken(token, await mine.proof('POST', TOKEN));
    expect(claims(again.body['access_token'])['cnf']).toEqual({ jkt: mine.jkt });
    // A free token may become a bound one.
    expect(claims((await ofToken(login.accessToken, await mine.proof('POST', TOKEN))).body['access_token'])['cnf']).toEqual({
      jkt: mine.jkt,
    });
  });
});

describe('a bound token', () => {
  const whoami = async (headers: Record<string, string>): Promise<unknown[]> => {
    const { status, body, headers: got } = await auth.send('GET', '/v1/whoami', { headers });
    return [status, body['code'], got.get('www-authenticate')?.split(' ')[0]];
  };

  it('counts with a proof for it, and not by itself', async () => {
    const login = await logIn(auth);
    const token = await bound(login);
    expect(await whoami(await mine.bearing(token, 'GET', WHOAMI))).toEqual([200, undefined, undefined]);
    expect(await whoami({ authorization: `Bearer ${token}` })).toEqual([401, 'token_bound', 'Bearer']);
    expect(await whoami({ authorization: `DPoP ${token}` })).toEqual([401, 'dpop_proof_malformed', 'DPoP']);
    expect(await whoami(await thiefs.bearing(token, 'GET', WHOAMI))).toEqual([401, 'dpop_key_wrong', 'DPoP']);
    expect(await whoami(await mine.bearing(token, 'POST', WHOAMI))).toEqual([401, 'dpop_proof_mismatch', 'DPoP']);
    expect(await whoami({ authorization: `DPoP ${token}`, ...(await mine.proof('GET', WHOAMI)) })).toEqual([
      401,
      'dpop_proof_mismatch',
      'DPoP',
    ]);
    expect(await whoami(await mine.bearing(login.accessToken, 'GET', WHOAMI))).toEqual([401, 'token_bound', 'Bearer']);
    expect(await whoami(await mine.bearing(login.sessionToken, 'GET', WHOAMI))).toEqual([401, 'unauthenticated', 'Bearer']);
    expect(await whoami({ authorization: `DPoP ` })).toEqual([401, 'unauthenticated', 'Bearer']);
  });

  it('signs its user out, and can be asked about and revoked without its key', async () => {
    const token = await bound(await logIn(auth));
    const asked = await auth.form('/oauth/introspect', { token }, as('watch'));
    expect(asked.body).toMatchObject({ active: true, token_type: 'DPoP', cnf: { jkt: mine.jkt } });
    const headers = await mine.bearing(token, 'POST', `${COMMON.issuer}/v1/logout`);
    expect((await auth.send('POST', '/v1/logout', { headers })).status).toBe(204);
    const other = await bound(await logIn(auth));
    expect((await auth.form('/oauth/revoke', { token: other })).status).toBe(200);
    expect(await whoami(await mine.bearing(other, 'GET', WHOAMI))).toEqual([401, 'token_ended', 'Bearer']);
  });
});

describe('a nonce', () => {
  it('is told, and then has to be in the proof, of whichever instance', async () => {
    await using first = await startService(cluster, { dpopNonces: true });
    await using second = await startService(cluster, { dpopNonces: true });
    const login = await logIn(first);
    const refused = await ofSession(login, await mine.proof('POST', TOKEN), first);
    expect(refusalOf(refused)).toEqual([400, 'use_dpop_nonce', 'dpop_nonce_required']);
    const nonce = refused.headers.get('dpop-nonce') ?? '';
    const answer = await ofSession(login, await mine.proof('POST', TOKEN, { nonce }), second);
    expect([answer.status, answer.headers.get('dpop-nonce')]).toEqual([200, expect.any(String)]);
    const token = String(answer.body['access_token']);
    const { headers } = await first.send('GET', '/v1/whoami', { headers: await mine.bearing(token, 'GET', WHOAMI) });
    expect([headers.get('www-authenticate'), headers.get('dpop-nonce')]).toEqual(['DPoP error="use_dpop_nonce"', expect.any(String)]);
    // Who brings no proof needs none.
    expect((await ofSession(login, {}, first)).status).toBe(200);
  });
});

describe('where the address of the service is not known', () => {
  it('proofs are refused, and nothing else is', async () => {
    await using nameless = await startService(cluster, { issuer: 'wherry' });
    const login = await logIn(nameless);
    expect((await ofSession(login, await mine.proof('POST', TOKEN), nameless)).body['code']).toBe('bad_request');
    expect((await ofSession(login, {}, nameless)).status).toBe(200);
  });
});
