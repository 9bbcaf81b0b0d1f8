import { advance } from '@wherry/rollout';
import type { Cluster } from '@wherry/shards/testing';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { startAuthCluster } from '../testing/cluster.ts';
import { claims, expectProblem } from '../testing/people.ts';
import { COMMON, startService, type Answer, type Running, type SendOptions } from '../testing/service.ts';

const CLIENTS = [...(COMMON.clients ?? []), { id: 'app', secret: 'app secret', assertsUsers: true }];
const APP: SendOptions = { basic: ['app', 'app secret'] };

let cluster: Cluster;
let auth: Running;
beforeAll(async () => {
  cluster = await startAuthCluster(inject('postgresUrl'));
  await advance(cluster.control, { expectedVersion: 1, actor: 'test' });
  auth = await startService(cluster, { clients: CLIENTS });
});
afterAll(async () => {
  await auth[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
});

const user = { userId: 'u-17', username: 'ann', authorities: ['user', 'orders:write', 'user'] };
const handOver = (body: object = user, as: SendOptions = APP): Promise<Answer> => auth.send('POST', '/v1/logins', { body, ...as });
const whoami = (bearer: unknown): Promise<Answer> => auth.send('GET', '/v1/whoami', { bearer: String(bearer) });

describe('a log-in handed over without a session of the application', () => {
  it('begins a session here, of the user that the application names', async () => {
    const { status, body } = await handOver();
    expect([status, body]).toEqual([
      200,
      {
        accessToken: expect.stringMatching(/^eyJ/),
        tokenType: 'Bearer',
        expiresIn: 300,
        sessionToken: expect.stringMatching(/^st_/),
        sessionId: expect.stringMatching(/^\d+$/),
        sessionExpiresAt: expect.any(Number),
        userId: 'u-17',
        authorities: ['user', 'orders:write'],
      },
    ]);
    const said = claims(body['accessToken']);
    expect([said['sub'], said['sid'], said['client_id'], said['username']]).toEqual(['u-17', body['sessionId'], 'app', 'ann']);
    for (const bearer of [body['accessToken'], body['sessionToken']])
      expect((await whoami(bearer)).body).toMatchObject({
        userId: 'u-17',
        sessionId: body['sessionId'],
        clientId: 'app',
        authorities: ['user', 'orders:write'],
      });
    // A repeat is another log-in.
    expect((await handOver()).body['sessionId']).not.toBe(body['sessionId']);
  });

  it('gives a renewal credential where one is asked for, which whoever renews for the browser may use', async () => {
    const { body } = await handOver({ ...user, userId: 17, renewable: true });
    expect(body).toMatchObject({ userId: 17, renewalCredential: expect.stringMatching(/^rt_/), renewalExpiresIn: expect.any(Number) });
    const renewed = await auth.exchange({ grant_type: 'refresh_token', refresh_token: String(body['renewalCredential']) });
    expect([renewed.status, claims(renewed.body['access_token'])['sid']]).toEqual([200, body['sessionId']]);
    expect((await auth.send('POST', '/v1/logout', { bearer: String(renewed.body['access_token']) })).status).toBe(204);
    const after = await auth.exchange({ grant_type: 'refresh_token', refresh_token: String(renewed.body['refresh_token']) });
    expect([after.status, after.body['code']]).toEqual([400, 'session_ended']);
  });

  it('is taken from nobody who is not trusted with it', async () => {
    expectProblem(await handOver(user, { basic: ['shop', 'shop secret'] }), 403, 'forbidden');
    expectProblem(await handOver(user, { basic: ['app', 'wrong'] }), 401, 'client_unauthenticated');
    expectProblem(await handOver(user, {}), 401, 'client_unauthenticated');
  });

  it('is refused for who cannot be a user, or is kept out', async () => {
    expectProblem(await handOver({ ...user, userId: 'client:shop' }), 422, 'grant_invalid');
    for (const bad of [{ userId: '' }, { userId: 1.5 }, { authorities: 'user' }, { authorities: undefined }, { other: 1 }])
      expectProblem(await handOver({ ...user, ...bad }), 400, 'bad_request');
    const operator = { bearer: COMMON.operatorSecret };
    expect((await auth.send('POST', '/v1/admin/users/u-18/disable', { body: { reason: 'x' }, ...operator })).status).toBe(200);
    expectProblem(await handOver({ ...user, userId: 'u-18' }), 403, 'user_disabled');
  });

  it('ends with the user, everywhere', async () => {
    const { body } = await handOver({ ...user, userId: 'u-19', renewable: true });
    await auth.send('POST', '/v1/admin/users/u-19/revoke', { body: { reason: 'x' }, bearer: COMMON.operatorSecret });
    for (const bearer of [body['accessToken'], body['sessionToken']]) expect((await whoami(bearer)).status).toBe(401);
    const answer = await auth.exchange({ grant_type: 'refresh_token', refresh_token: String(body['renewalCredential']) });
    expect([answer.status, answer.body['error']]).toEqual([400, 'invalid_grant']);
    expect((await handOver({ ...user, userId: 'u-19' })).status).toBe(200);
  });
});
