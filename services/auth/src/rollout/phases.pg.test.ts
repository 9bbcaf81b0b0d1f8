import { PATIENT_MS } from '@wherry/embedded/testing';
import { advance, moveRollout, readClientUsage, readObservedUse, readRollout, rollback, type RolloutPhase } from '@wherry/rollout';
import type { Cluster } from '@wherry/shards/testing';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { startAuthCluster } from '../testing/cluster.ts';
import { OAUTH_CLIENTS, as } from '../testing/oauth-clients.ts';
import { PASSWORD, expectProblem, register, type Login } from '../testing/people.ts';
import { EXCHANGE, startService, type Answer, type Running } from '../testing/service.ts';

const SUNSET = Date.parse('2027-03-01T00:00:00Z');
const TOLD = {
  deprecation: '@1767225600',
  sunset: 'Mon, 01 Mar 2027 00:00:00 GMT',
  link: '<https://wherry.test/guide>; rel="deprecation"; type="text/html"',
};
const UNTOLD = { deprecation: null, sunset: null, link: null };
const CLIENTS = [...OAUTH_CLIENTS, { id: 'app', secret: 'app secret', assertsUsers: true }];

let cluster: Cluster;
let auth: Running;
let guarding: Running;
beforeAll(async () => {
  cluster = await startAuthCluster(inject('postgresUrl'));
  const rollout = {
    deprecatedAt: Date.parse('2026-01-01T00:00:00Z'),
    sunsetAt: SUNSET,
    guideUrl: 'https://wherry.test/guide',
    userAgents: [{ product: 'ShopApp', client: 'shop-ios' }],
  };
  auth = await startService(cluster, { clients: CLIENTS, rollout });
  guarding = await startService(cluster, { clients: CLIENTS, rollout: { guard: { everyMs: 50 } } });
});
afterAll(async () => {
  await auth[Symbol.asyncDispose]();
  await guarding[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
});

type Move = (database: Cluster['control'], move: { expectedVersion: number; actor: string }) => Promise<unknown>;
/** Moves the rollout, and waits until the instance acts on it, settled. */
const moved = async (move: Move, phase: RolloutPhase['phase']): Promise<void> => {
  await move(cluster.control, { expectedVersion: (await readRollout(cluster.control)).version, actor: 'test' });
  await vi.waitFor(
    async () => {
      const rollout = await readRollout(cluster.control);
      expect([rollout.phase, rollout.settled]).toEqual([phase, true]);
      expect(await auth.service.runtime.instance.acknowledged('rollout', rollout.seq, PATIENT_MS)).toBe(true);
    },
    { timeout: PATIENT_MS },
  );
};
const forward = (phase: RolloutPhase['phase'], percent?: number): Promise<void> =>
  moved((database, move) => advance(database, move, percent), phase);
const logIn = async (username: string, more = {}): Promise<Answer> =>
  auth.send('POST', '/v1/login', { body: { username, password: PASSWORD, ...more } });
const exchange = async (login: Login | Answer['body'], scope?: string): Promise<Answer> =>
  auth.exchange({
    grant_type: EXCHANGE,
    subject_token_type: 'urn:wherry:token-type:session',
    subject_token: String(login['sessionToken' as keyof typeof login]),
    ...(scope === undefined ? {} : { scope }),
  });
const refresh = async (token: unknown): Promise<Answer> => auth.exchange({ grant_type: 'refresh_token', refresh_token: String(token) });
const told = ({ headers }: Answer): Readonly<Record<string, string | null>> =>
  Object.fromEntries(['deprecation', 'sunset', 'link'].map((name) => [name, headers.get(name)]));
const whoami = (bearer: unknown, headers = {}): Promise<Answer> => auth.send('GET', '/v1/whoami', { bearer: String(bearer), headers });
/** Which of its members an answer has. */
const given = ({ body }: Answer): string[] =>
  ['sessionToken', 'accessToken', 'renewalCredential', 'access_token', 'refresh_token', 'session_token'].filter((name) => name in body);

describe('the phases, one after the other', () => {
  let ann: { username: string };
  let early: Answer;
  let family: unknown;

  it('stateful: a log-in gives a session token alone, and nothing is exchanged', async () => {
    ann = await register(auth);
    early = await logIn(ann.username, { renewable: true });
    expect(given(early)).toEqual(['sessionToken']);
    expect((await exchange(early.body, 'offline_access')).body['code']).toBe('access_tokens_off');
    expect(told(await whoami(early.body['sessionToken']))).toEqual(UNTOLD);
    const handed = await auth.send('POST', '/v1/logins', {
      body: { userId: 'u', authorities: [], renewable: true },
      basic: ['app', 'app secret'],
    });
    expect(given(handed)).toEqual(['sessionToken']);
  });

  it('dual: all three, and nobody is led', async () => {
    await forward('dual');
    expect(given(await logIn(ann.username))).toEqual(['sessionToken', 'accessToken']);
    const login = await logIn(ann.username, { renewable: true, clientId: 'page' });
    expect(given(login)).toEqual(['sessionToken', 'accessToken', 'renewalCredential']);
    const exchanged = await exchange(early.body, 'offline_access');
    expect([given(exchanged), told(exchanged)]).toEqual([['access_token', 'refresh_token'], UNTOLD]);
    const renewed = await refresh(exchanged.body['refresh_token']);
    expect(given(renewed)).toEqual(['access_token', 'refresh_token']);
    family = renewed.body['refresh_token'];
  });

  it('led: who is led is told, by every answer to a session credential and by none to an access token', async () => {
    await forward('led', 100);
    // One of a hundred is held out.
    for (let n = 0; n < 5 && told(await whoami(early.body['sessionToken']))['deprecation'] === null; n++) {
      ann = await register(auth);
      early = await logIn(ann.username);
      family = (await exchange(early.body, 'offline_access')).body['refresh_token'];
    }
    const bySession = await whoami(early.body['sessionToken']);
    expect([told(bySession), bySession.headers.get('x-wherry-advice')]).toEqual([TOLD, 'access-token']);
    expect(told(await exchange(early.body))).toEqual(TOLD);
    expect(told(await whoami(early.body['accessToken']))).toEqual(UNTOLD);
    expect(given(await logIn(ann.username))).toEqual(['sessionToken', 'accessToken']);
  });

  it('preferred: the same', async () => {
    await forward('preferred');
    expect(told(await whoami(early.body['sessionToken']))).toEqual(TOLD);
    expect(given(await logIn(ann.username))).toEqual(['sessionToken', 'accessToken']);
  });

  it('drain: no session token is given out, and a renewal credential always', async () => {
    await forward('drain');
    const login = await logIn(ann.username);
    expect(given(login)).toEqual(['accessToken', 'renewalCredential']);
    expect(given(await refresh(login.body['renewalCredential']))).toEqual(['access_token', 'refresh_token']);
    const handed = await auth.send('POST', '/v1/logins', { body: { userId: 'u', authorities: [] }, basic: ['app', 'app secret'] });
    expect(given(handed)).toEqual(['accessToken', 'renewalCredential']);
    // What was given out before is exchanged as before: it may be all that its client has.
    expect((await exchange(early.body)).status).toBe(200);
    const renewed = await refresh(family);
    expect(given(renewed)).toEqual(['access_token', 'refresh_token']);
    family = renewed.body['refresh_token'];
  });

  it('and back: renewals go on in every phase', async () => {
    for (const phase of ['preferred', 'led', 'dual'] as const) {
      await moved(rollback, phase);
      const renewed = await refresh(family);
      expect([phase, given(renewed)]).toEqual([phase, ['access_token', 'refresh_token', 'session_token']]);
      expect((await whoami(renewed.body['session_token'])).status).toBe(200);
      family = renewed.body['refresh_token'];
      expect(given(await logIn(ann.username))).toEqual(['sessionToken', 'accessToken']);
    }
  });

  it('stateful again is settled when no family lives', async () => {
    await rollback(cluster.control, { expectedVersion: (await readRollout(cluster.control)).version, actor: 'test' });
    await vi.waitFor(() => expect(auth.service.runtime.instance.staleMs('rollout')).toBeLessThan(PATIENT_MS));
    await vi.waitFor(async () => expect(given(await logIn(ann.username))).toEqual(['sessionToken']), { timeout: PATIENT_MS });
    expect((await refresh(family)).status).toBe(200);
    expect((await readRollout(cluster.control)).settled).toBe(false);
    for (const shard of cluster.shards.all)
      await shard.query({
        name: 'test-end',
        text: `UPDATE token_family SET ended_at = 1, end_reason = 'revoked' WHERE ended_at IS NULL`,
        values: [],
      });
    await vi.waitFor(async () => expect((await readRollout(cluster.control)).settled).toBe(true), { timeout: PATIENT_MS });
  });

  it('retired: session credentials are refused, and let out', async () => {
    await forward('dual');
    await forward('led', 100);
    await forward('preferred');
    await forward('drain');
    const login = await logIn(ann.username);
    await moved(
      (database, move) =>
        moveRollout(database, { command: 'advance' }, move, {
          evidence: async () => ({ lastSessionUse: null, observedSince: 0, observedUntil: Infinity, silent: [] }),
          absoluteMs: 0,
        }),
      'retired',
    );
    expectProblem(await whoami(early.body['sessionToken']), 401, 'credential_kind_refused');
    const asked = async (token: unknown): Promise<unknown> =>
      (await auth.form('/oauth/introspect', { token: String(token) }, as('watch'))).body['active'];
    expect([await asked(early.body['sessionToken']), await asked(login.body['accessToken'])]).toEqual([false, true]);
    const refusedExchange = await exchange(early.body, 'offline_access');
    expect([refusedExchange.status, refusedExchange.body['error']]).toEqual([400, 'invalid_grant']);
    expect(given(await refresh(login.body['renewalCredential']))).toEqual(['access_token', 'refresh_token']);
    expect(given(await logIn(ann.username))).toEqual(['accessToken', 'renewalCredential']);
    expect((await auth.send('POST', '/v1/logout', { bearer: String(early.body['sessionToken']) })).status).toBe(204);
  });
});

describe('what is reported', () => {
  it('is who has used which credential, and from when on all was seen', async () => {
    const before = await readObservedUse(cluster.control);
    expect([before.silent, before.observedSince]).toEqual([[], expect.any(Number)]);
    const bob = await register(auth);
    const login = await logIn(bob.username, { clientId: 'page' });
    await whoami(login.body['accessToken'], { 'x-client-version': '7' });
    await whoami('st_x', { 'user-agent': 'ShopApp/4.2' });
    await auth.exchange({ grant_type: 'refresh_token', refresh_token: 'x' }, as('shop'));
    await vi.waitFor(
      async () => {
        const entries = (await readClientUsage(cluster.control)).map(({ clientId, version, kind }) => `${clientId} ${version} ${kind}`);
        expect(entries).toEqual(expect.arrayContaining(['page 7 jwt', 'public  session_token']));
      },
      { timeout: PATIENT_MS },
    );
  });
});
