import { advance } from '@wherry/rollout';
import type { Cluster } from '@wherry/shards/testing';
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { startAuthCluster } from '../testing/cluster.ts';
import { OAUTH_CLIENTS, as } from '../testing/oauth-clients.ts';
import { logIn } from '../testing/people.ts';
import { EXCHANGE, basicHeader, startService, type Answer, type Running } from '../testing/service.ts';

const ENDPOINTS = ['/oauth/token', '/oauth/introspect', '/oauth/revoke'];

let cluster: Cluster;
let auth: Running;
beforeAll(async () => {
  cluster = await startAuthCluster(inject('postgresUrl'));
  await advance(cluster.control, { expectedVersion: 1, actor: 'test' });
  auth = await startService(cluster, { clients: OAUTH_CLIENTS });
});
afterAll(async () => {
  await auth[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
});

/** Status, error and code; and that the answer is of the form of RFC 6749 and says nothing of what was sent. */
const refusalOf = ({ status, headers, body, text }: Answer): unknown[] => {
  expect([headers.get('content-type'), headers.get('cache-control')]).toEqual([expect.stringMatching(/^application\/json/), 'no-store']);
  expect(Object.keys(body).toSorted()).toEqual(['code', 'error', 'error_description']);
  expect(body['error_description']).toMatch(/^[\x20-\x21\x23-\x5b\x5d-\x7e]*$/);
  expect(text).not.toContain('hunter2');
  return [status, body['error'], body['code']];
};
const BAD = [400, 'invalid_request', 'bad_request'];

/** Sends bytes as they are; answers all that comes back until the other side has ended. */
async function raw(...pieces: readonly string[]): Promise<string> {
  const socket = connect({ port: Number(new URL(auth.url).port), host: '127.0.0.1' });
  await once(socket, 'connect');
  let answer = '';
  socket.setEncoding('latin1').on('data', (piece: string) => {
    answer += piece;
  });
  for (const piece of pieces) socket.write(piece, 'latin1');
  await once(socket, 'close');
  return answer;
}
const head = (path: string, ...lines: readonly string[]): string =>
  [`POST ${path} HTTP/1.1`, 'host: x', 'connection: close', ...lines, '', ''].join('\r\n');

describe.each(ENDPOINTS)('%s', (path) => {
  const post = async (body: string, headers: Record<string, string> = {}): Promise<Answer> =>
    auth.form(path, body, { ...as('watch'), ...headers });

  it('refuses a parameter that comes twice, however it is written', async () => {
    const name = path === '/oauth/token' ? 'grant_type' : 'token';
    for (const body of [
      `${name}=hunter2&${name}=hunter2`,
      `${name}=&${name}=hunter2`,
      `${name}=hunter2&%${name.charCodeAt(0).toString(16)}${name.slice(1)}=x`,
      `${name}=x&client_id=watch&client_id=page`,
      `${name}=x&x=hunter2&x=y`,
    ])
      expect(refusalOf(await post(body))).toEqual(BAD);
  });

  it('takes forms and nothing else', async () => {
    const types = ['application/json', 'text/plain', 'multipart/form-data; boundary=x', 'application/x-www-form-urlencoded2', 'x'];
    for (const type of types)
      expect(refusalOf(await post('token=hunter2', { 'content-type': type }))).toEqual([415, 'invalid_request', 'media_type_unsupported']);
    const charset = await post('token=x&grant_type=x', { 'content-type': 'application/x-www-form-urlencoded; charset=UTF-8' });
    expect(charset.status).not.toBe(415);
    // In the query nothing counts, and a token there is refused.
    expect(refusalOf(await auth.form(`${path}?token=x&grant_type=x`, '', as('watch')))).toEqual(BAD);
    expect(refusalOf(await auth.form(`${path}?access_token=hunter2`, 'token=x', as('watch')))).toEqual(BAD);
  });

  it('refuses huge bodies before they are there', async () => {
    expect(refusalOf(await post(`token=${'hunter2'.repeat(20_000)}`))).toEqual([413, 'invalid_request', 'body_too_large']);
    const announced = await raw(head(path, 'content-type: application/x-www-form-urlencoded', 'content-length: 99999999999'));
    expect(announced).toMatch(/^HTTP\/1\.1 413 /);
    const many = Array.from({ length: 8000 }, (_, n) => `p${n}=`).join('&');
    expect(refusalOf(await post(many))).toEqual(BAD);
  });

  it('refuses two proofs at once, and more than one header', async () => {
    const secret = { client_id: 'watch', client_secret: 'hunter2' };
    const body = new URLSearchParams({ token: 'x', grant_type: 'x', ...secret }).toString();
    expect(refusalOf(await post(body))).toEqual(BAD);
    expect(refusalOf(await auth.form(path, body))).toEqual([401, 'invalid_client', 'client_unauthenticated']);
    const twice = await raw(
      head(
        path,
        'content-type: application/x-www-form-urlencoded',
        'content-length: 7',
        `authorization: ${as('watch')['authorization']}`,
        'authorization: Basic eDp5',
      ) + 'token=x',
    );
    expect(twice).toMatch(/^HTTP\/1\.1 400 /);
  });

  it('answers alike for a client that there is not and for a wrong secret', async () => {
    const answers = new Set<string>();
    for (const header of [
      basicHeader('watch', 'hunter2'),
      basicHeader('nobody', 'hunter2'),
      basicHeader('page', 'hunter2'),
      basicHeader('page', ''),
      basicHeader('__proto__', 'hunter2'),
      basicHeader('', ''),
      'Basic hunter2',
      'Bearer hunter2',
      'Negotiate x',
    ]) {
      const answer = await auth.form(path, 'token=x&grant_type=x', { authorization: header });
      expect(refusalOf(answer)).toEqual([401, 'invalid_client', 'client_unauthenticated']);
      answers.add(`${answer.text} ${answer.headers.get('www-authenticate')}`);
    }
    expect(answers.size).toBe(1);
    const named = new Set<string>();
    for (const id of ['watch', 'nobody']) named.add((await auth.form(path, `token=x&grant_type=x&client_id=${id}`)).text);
    expect(named.size).toBe(1);
  });

  it('takes POST alone, and says so', async () => {
    for (const method of ['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
      const { status, headers, body } = await auth.send(method, `${path}?x=y`);
      expect([method, status, headers.get('allow'), body['code']]).toEqual([method, 405, 'POST', 'method_not_allowed']);
    }
  });

  it('survives bytes that are no text', async () => {
    for (const body of [
      'token=%FF%FE&grant_type=%00',
      'token=\u0000',
      '%',
      '&&&',
      '=',
      `token=${'%F0%9F'.repeat(100)}`,
      'grant_type=__proto__&token=constructor',
    ]) {
      const answer = await post(body);
      expect([body, answer.status < 500]).toEqual([body, true]);
    }
    // Cut off in the middle: nobody is answered, and the next one is.
    const socket = connect({ port: Number(new URL(auth.url).port), host: '127.0.0.1' });
    await once(socket, 'connect');
    socket.write(head(path, 'content-type: application/x-www-form-urlencoded', 'content-length: 100') + 'token=');
    socket.destroy();
    expect((await auth.send('GET', '/livez')).status).toBe(200);
  });
});

describe('a client that sends slowly', () => {
  it('is let go, and holds nobody up meanwhile', async () => {
    const begun = performance.now();
    const slow = raw(`${head('/oauth/token', 'content-type: application/x-www-form-urlencoded', 'content-length: 100')}grant`);
    const { sessionToken } = await logIn(auth);
    const answer = await auth.exchange({
      grant_type: EXCHANGE,
      subject_token: sessionToken,
      subject_token_type: 'urn:wherry:token-type:session',
    });
    expect(answer.status).toBe(200);
    expect(await slow).toMatch(/^HTTP\/1\.1 408 |^$/);
    // Ten seconds, and how late a loaded machine looks. Node's own bound for the head, a minute, would count instead where it is left as it is.
    expect(performance.now() - begun).toBeLessThan(45_000);
  });
});

describe('other routes', () => {
  it('tell which methods they take, where they have parameters too, and what there is not', async () => {
    const allow = async (method: string, path: string): Promise<unknown[]> => {
      const { status, headers } = await auth.send(method, path);
      return [status, headers.get('allow')];
    };
    expect(await allow('POST', '/v1/whoami')).toEqual([405, 'GET, HEAD']);
    expect(await allow('GET', '/v1/admin/users/7/revoke')).toEqual([405, 'POST']);
    expect(await allow('GET', '/v1/admin/users//revoke')).toEqual([404, null]);
    expect(await allow('GET', '/v1/admin/users/7')).toEqual([404, null]);
    expect(await allow('DELETE', '/.well-known/jwks.json')).toEqual([405, 'GET, HEAD']);
    expect(await allow('POST', '/oauth/token/')).toEqual([404, null]);
  });
});
