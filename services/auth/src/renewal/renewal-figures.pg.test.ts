import { PATIENT_MS } from '@wherry/embedded/testing';
import { advance, readFigures, readRollout } from '@wherry/rollout';
import type { Cluster } from '@wherry/shards/testing';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { startAuthCluster } from '../testing/cluster.ts';
import { PASSWORD, claims, logIn, type Login } from '../testing/people.ts';
import { startService, type Answer, type Running } from '../testing/service.ts';

let cluster: Cluster;
let auth: Running;
beforeAll(async () => {
  cluster = await startAuthCluster(inject('postgresUrl'), 'target');
  await advance(cluster.control, { expectedVersion: 1, actor: 'test' });
  auth = await startService(cluster);
});
afterAll(async () => {
  await auth[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
});

const again = async ({ username }: Login): Promise<Record<string, unknown>> =>
  (await auth.send('POST', '/v1/login', { body: { username, password: PASSWORD, renewable: true } })).body;
const refresh = async (token: unknown): Promise<Answer> => auth.exchange({ grant_type: 'refresh_token', refresh_token: String(token) });

describe('what guardrails are told of renewals', () => {
  it('is which have failed for no doing of the user, and who had to sign in again for that', async () => {
    // A log-out and a token that nobody knows are no failures.
    const ann = await logIn(auth);
    const first = await again(ann);
    expect((await refresh((await refresh(first['renewalCredential'])).body['refresh_token'])).status).toBe(200);
    await auth.send('POST', '/v1/logout', { bearer: String(first['accessToken']) });
    for (const token of [first['renewalCredential'], 'rt_x']) expect((await refresh(token)).status).toBe(400);
    await again(ann);
    // A replay is one, whoever it was.
    const bob = await logIn(auth);
    const { renewalCredential: stolen } = await again(bob);
    await refresh((await refresh(stolen)).body['refresh_token']);
    for (let n = 0; n < 3; n++) expect((await refresh(stolen)).body['code']).toBe('renewal_reused');
    // And so is a session that has gone while it was in use.
    const eve = await logIn(auth);
    const lost = await again(eve);
    const sid = String(claims(lost['accessToken'])['sid']);
    for (const shard of cluster.shards.all)
      await shard.query({ name: 'test-lose', text: 'DELETE FROM user_session WHERE id = $1', values: [sid] });
    expect((await refresh(lost['renewalCredential'])).body['code']).toBe('session_unknown');
    for (const user of [bob, bob, eve]) await again(user);
    const { course } = await readRollout(cluster.control);
    await vi.waitFor(
      async () => {
        const { outside } = await readFigures(cluster.control, course, 0);
        expect([outside.renewed, outside.renewalFailed, outside.signedOut]).toEqual([4, 2, 2]);
      },
      { timeout: PATIENT_MS },
    );
  });
});
