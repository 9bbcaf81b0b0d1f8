import { crc32 } from 'node:zlib';
import { PATIENT_MS, openWay, type Severable } from '@wherry/embedded/testing';
import { advance } from '@wherry/rollout';
import type { Cluster } from '@wherry/shards/testing';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { startAuthCluster } from '../testing/cluster.ts';
import { OAUTH_CLIENTS, ORDERS, as } from '../testing/oauth-clients.ts';
import { PASSWORD, claims, logIn, newName, register, type Login } from '../testing/people.ts';
import { EXCHANGE, startService, type Answer, type Running } from '../testing/service.ts';

const ACCESS = 'urn:ietf:params:oauth:token-type:access_token';

/** Two instances; the way of the second one to control can be cut. */
let cluster: Cluster;
let way: Severable;
let auth: Running;
let other: Running;
beforeAll(async () => {
  cluster = await startAuthCluster(inject('postgresUrl'), 'target');
  await advance(cluster.control, { expectedVersion: 1, actor: 'test' });
  way = await openWay(cluster.controlUrl);
  const clients = [
    ...OAUTH_CLIENTS,
    { id: 'app', secret: 'app secret', assertsUsers: true },
    { id: 'kiosk', grants: ['token-exchange', 'expired-access-token'] as const },
  ];
  auth = await startService(cluster, { clients, renewal: { bearerOnly: { maxRenewals: 3 } } });
  other = await startService(cluster, { clients }, undefined, { controlUrl: way.url });
});
afterAll(async () => {
  way.mend();
  await auth[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
  await way[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
});

/** What came with a refresh token, and that. */
interface Begun {
  readonly access: string;
  readonly refresh: string;
}

const begunBy = ({ status, body }: Answer): Begun => {
  expect([status, body['code']]).toEqual([200, undefined]);
  return { access: String(body['access_token']), refresh: String(body['refresh_token']) };
};
const begin = async ({ sessionToken }: Pick<Login, 'sessionToken'>, more = {}, headers = {}): Promise<Begun> => {
  const subject = { subject_token: sessionToken, subject_token_type: 'urn:wherry:token-type:session' };
  return begunBy(await auth.exchange({ grant_type: EXCHANGE, ...subject, scope: 'offline_access', ...more }, headers));
};
const refresh = async (token: string, at = auth, headers = {}): Promise<Answer> =>
  at.exchange({ grant_type: 'refresh_token', refresh_token: token }, headers);
const revoke = async (token: string, { at = auth, headers = {} } = {}): Promise<Answer> => at.form('/oauth/revoke', { token }, headers);
/** Until every instance has said in time that it acts on it. */
const revoked = async (token: string, headers = {}): Promise<void> => {
  await expect
    .poll(async () => (await revoke(token, { headers })).headers.get('x-wherry-propagated'), { timeout: PATIENT_MS })
    .toBe('true');
};
const whoami = async (bearer: string, at = auth): Promise<unknown> => {
  const { status, body } = await at.send('GET', '/v1/whoami', { bearer });
  return body['code'] ?? status;
};
const everywhere = async (bearer: string): Promise<unknown[]> => [await whoami(bearer), await whoami(bearer, other)];

describe('the revocation of a refresh token', () => {
  it('ends all access tokens that it gave, on every instance, and nothing else of the session', async () => {
    const ann = await logIn(auth);
    const [first, apart] = [await begin(ann), await begin(ann)];
    const second = begunBy(await refresh(first.refresh));
    const third = begunBy(await refresh(second.refresh, other));
    const tokens = [first, second, third].map(({ access }) => access);
    expect(new Set(tokens.map((token) => claims(token)['fam'])).size).toBe(1);
    for (const token of tokens) expect(await everywhere(token)).toEqual([200, 200]);

    // By any of them: a client may have lost the last answer.
    await revoked(second.refresh);
    for (const token of tokens) {
      expect(await everywhere(token)).toEqual(['token_ended', 'token_ended']);
      expect((await auth.form('/oauth/introspect', { token }, as('watch'))).body).toEqual({ active: false });
    }
    for (const token of [ann.sessionToken, ann.accessToken, apart.access]) expect(await everywhere(token)).toEqual([200, 200]);
    expect((await refresh(third.refresh)).body['code']).toBe('renewal_ended');
    expect((await refresh(apart.refresh)).status).toBe(200);
  });

  it('ends what was made from its access tokens for others', async () => {
    const ann = await logIn(auth);
    const own = await begin(ann, { client_id: 'page' });
    const subject = { grant_type: EXCHANGE, subject_token: own.access, subject_token_type: ACCESS };
    const forOthers = [
      await auth.exchange({ ...subject, audience: 'test' }, as('desk')),
      await auth.exchange({ ...subject, audience: ORDERS }, as('desk')),
    ].map(({ body }) => String(body['access_token']));
    const chained = await auth.exchange({ ...subject, subject_token: forOthers[0] ?? '' }, as('shop'));
    const made = [...forOthers, String(chained.body['access_token'])];
    const active = async (): Promise<unknown[]> =>
      Promise.all(made.map(async (token) => (await auth.form('/oauth/introspect', { token }, as('desk'))).body['active']));
    expect(await active()).toEqual([true, true, true]);
    await revoked(own.refresh);
    expect(await active()).toEqual([false, false, false]);
    // Nor is anything made from them any more.
    expect((await auth.exchange(subject, as('desk'))).body['code']).toBe('token_ended');
  });

  it('ends what a log-in and a hand-over gave with it', async () => {
    const { username } = await register(auth);
    const answers = [
      await auth.send('POST', '/v1/login', { body: { username, password: PASSWORD, renewable: true } }),
      await auth.send('POST', '/v1/logins', {
        body: { userId: newName(), authorities: [], renewable: true },
        basic: ['app', 'app secret'],
      }),
    ];
    const headers = [{}, as('app')];
    for (const [n, { status, body }] of answers.entries()) {
      const [access, credential] = [String(body['accessToken']), String(body['renewalCredential'])];
      expect([status, await whoami(access)]).toEqual([200, 200]);
      await revoked(credential, headers[n]);
      expect(await everywhere(access)).toEqual(['token_ended', 'token_ended']);
      expect(await whoami(String(body['sessionToken']))).toBe(200);
    }
  });

  it('is refused to who has nothing of the family, or is another client, and stores nothing', async () => {
    const ann = await logIn(auth);
    const [own, named] = [await begin(ann, {}, as('shop')), await begin(ann, { client_id: 'page' })];
    const count = async (): Promise<unknown> => (await cluster.control.query(`SELECT count(*)::int AS n FROM revocation`)).rows;
    const before = await count();
    // Right ids, wrong secrets: the checksum is of the right form, so only the family can tell.
    const bytes = Buffer.from(own.refresh.slice(3), 'base64url');
    bytes.fill(1, 16, 56);
    bytes.writeUInt32BE(crc32(bytes.subarray(0, 56)), 56);
    for (const [token, headers] of [
      [`rt_${bytes.toString('base64url')}`, {}],
      [own.refresh, as('desk')],
      [named.refresh, as('shop')],
    ] as const) {
      const answer = await revoke(token, { headers });
      expect([answer.status, answer.text, answer.headers.get('x-wherry-propagated')]).toEqual([200, '', null]);
    }
    expect(await count()).toEqual(before);
    expect([await whoami(own.access), await whoami(named.access)]).toEqual([200, 200]);
  });

  it('is not answered while it is not durable, and a repeat goes on where it stopped', async () => {
    const ann = await logIn(auth);
    const begun = await begin(ann);
    way.sever();
    try {
      const answer = await revoke(begun.refresh, { at: other });
      expect([answer.status, answer.body['error']]).toEqual([503, 'temporarily_unavailable']);
      // The family has ended on its shard; that its access token has, nobody knows yet.
      expect((await refresh(begun.refresh)).body['code']).toBe('renewal_ended');
      expect(await whoami(begun.access)).toBe(200);
    } finally {
      way.mend();
    }
    await revoked(begun.refresh);
    await vi.waitFor(async () => expect(await everywhere(begun.access)).toEqual(['token_ended', 'token_ended']), { timeout: PATIENT_MS });
  });

  it('of a family that renews meanwhile leaves no access token alive, whichever of the two is first', async () => {
    const ann = await logIn(auth);
    const outcomes = new Set<unknown>();
    for (let n = 0; n < 8; n++) {
      const begun = await begin(ann);
      const [renewing] = await Promise.all([refresh(begun.refresh, n % 2 === 0 ? auth : other), revoke(begun.refresh)]);
      outcomes.add(renewing.body['code'] ?? renewing.status);
      if (renewing.status === 200)
        await expect
          .poll(async () => everywhere(String(renewing.body['access_token'])), { timeout: PATIENT_MS })
          .toEqual(['token_ended', 'token_ended']);
      else expect(renewing.body['code']).toBe('renewal_ended');
    }
    expect([...outcomes].every((outcome) => outcome === 200 || outcome === 'renewal_ended')).toBe(true);
  });
});

describe('a refresh token that is used again', () => {
  it('takes the access tokens of its family with it, of which the thief may have the last', async () => {
    const ann = await logIn(auth);
    const stolen = await begin(ann);
    const second = begunBy(await refresh(stolen.refresh));
    const third = begunBy(await refresh(second.refresh));
    expect((await refresh(stolen.refresh)).body['code']).toBe('renewal_reused');
    for (const { access } of [stolen, second, third]) {
      expect(await whoami(access)).toBe('token_ended');
      await expect.poll(async () => whoami(access, other), { timeout: PATIENT_MS }).toBe('token_ended');
    }
    expect(await everywhere(ann.sessionToken)).toEqual([200, 200]);
    const seq = async (): Promise<unknown> =>
      (await cluster.control.query(`SELECT seq FROM revocation WHERE kind = 'family' AND key = $1`, [claims(third.access)['fam']])).rows;
    const before = await seq();
    for (let n = 0; n < 3; n++) expect((await refresh(stolen.refresh)).body['code']).toBe('renewal_reused');
    // Whoever has an old token cannot have records written without end.
    expect([before, await seq()]).toEqual([[{ seq: expect.any(BigInt) }], before]);
  });
});

describe('an access token that is renewed by itself', () => {
  it('names its family, and ends with it', async () => {
    const ann = await logIn(auth);
    const subject = { subject_token: ann.sessionToken, subject_token_type: 'urn:wherry:token-type:session' };
    const { body } = await auth.exchange({ grant_type: EXCHANGE, ...subject, client_id: 'kiosk' });
    const token = String(body['access_token']);
    expect([body['renewal'], claims(token)['fam']]).toEqual(['bearer', expect.stringMatching(/^\d+$/)]);
    const made = await auth.exchange({ grant_type: EXCHANGE, subject_token: token, subject_token_type: ACCESS }, as('desk'));
    const forDesk = String(made.body['access_token']);
    expect(await whoami(forDesk)).toBe(200);
    expect((await revoke(token)).status).toBe(200);
    expect([await whoami(token), await whoami(forDesk)]).toEqual(['token_ended', 'token_ended']);
  });
});
