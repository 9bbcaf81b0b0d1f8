import { createVerifier, KeyRing, type Verifier } from '@wherry/tokens';
import { WherryError, silentLogger } from '@wherry/core';
import { Instance } from '@wherry/core/control';
import { REVOCATION_TOPIC, RevocationSet } from '@wherry/revocation';
import { advance, readRollout } from '@wherry/rollout';
import type { Cluster } from '@wherry/shards/testing';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { startAuthCluster } from './testing/cluster.ts';
import { PASSWORD, claims, expectProblem, logIn, type Login } from './testing/people.ts';
import { COMMON, EXCHANGE, startService, type Answer, type Running } from './testing/service.ts';
import { UserEnds } from './user-ends.ts';

/** A process that only verifies, as a gateway does. */
interface Verifying extends AsyncDisposable {
  readonly verifier: Verifier;
}

const NEW_PASSWORD = 'a horse of another colour';
const operator = { bearer: COMMON.operatorSecret } as const;
let cluster: Cluster;
let one: Running;
let other: Running;
let verifying: Verifying;

beforeAll(async () => {
  cluster = await startAuthCluster(inject('postgresUrl'), 'target');
  const { version } = await readRollout(cluster.control);
  await advance(cluster.control, { expectedVersion: version, actor: 'test' });
  const checkPassword = async (password: string): Promise<'breached' | 'ok'> => (password.startsWith('known') ? 'breached' : 'ok');
  one = await startService(cluster, { checkPassword });
  other = await startService(cluster, { checkPassword, logInLimits: { failuresPerAccountAndAddress: 3 } });
  verifying = await startVerifying();
});
afterAll(async () => {
  await verifying[Symbol.asyncDispose]();
  await one[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
});

async function startVerifying(): Promise<Verifying> {
  const { control } = cluster.connect();
  const keys = new KeyRing({ database: control, staleMs: () => instance.staleMs('keys') });
  const set = new RevocationSet({ database: control, staleMs: () => instance.staleMs(REVOCATION_TOPIC) });
  const instance: Instance = new Instance({ database: control, role: 'gateway', topics: [keys, set] });
  await instance.run();
  return {
    verifier: createVerifier({
      keys,
      revocations: set,
      issuer: COMMON.issuer,
      audience: COMMON.audience,
      maxLifeS: COMMON.accessTokenSeconds,
    }),
    [Symbol.asyncDispose]: async () => {
      await instance.stop();
      await control.end();
    },
  };
}

const whoami = async (auth: Running, bearer: string): Promise<number> => (await auth.send('GET', '/v1/whoami', { bearer })).status;

/** What each instance and the verifying process say to a user's session token and access token: 200, 401, true, false. */
async function judged({ sessionToken, accessToken }: Pick<Login, 'sessionToken' | 'accessToken'>): Promise<unknown[]> {
  const answers: unknown[] = [];
  for (const auth of [one, other]) answers.push(await whoami(auth, sessionToken), await whoami(auth, accessToken));
  return [...answers, verifying.verifier.verify(accessToken).ok];
}
const ALIVE = [200, 200, 200, 200, true];
const ENDED = [401, 401, 401, 401, false];

const admin = (id: string, verb: string, body: object = {}): Promise<Answer> =>
  one.send('POST', `/v1/admin/users/${id}/${verb}`, { body: { reason: 'a test', ...body }, ...operator });

/** Expects that the login is dead on all as soon as the answer was given; where a machine that stood still said `false`, soon. */
async function expectEnded(answer: Answer, login: Pick<Login, 'sessionToken' | 'accessToken'>, expected: unknown[] = ENDED): Promise<void> {
  const said = answer.body['propagated'] ?? answer.headers.get('x-wherry-propagated') === 'true';
  expect([answer.status === 204 || answer.status === 200, typeof said]).toEqual([true, 'boolean']);
  if (said === true) expect(await judged(login)).toEqual(expected);
  else await vi.waitFor(async () => expect(await judged(login)).toEqual(expected));
}

describe('on every instance at once', () => {
  it('a user who is disabled has lost all, and is let in by none until he is enabled', async () => {
    const ann = await logIn(one);
    const bob = await logIn(other);
    expect(await judged(ann)).toEqual(ALIVE);
    await expectEnded(await admin(ann.userId, 'disable'), ann);
    for (const auth of [one, other]) {
      expectProblem(await auth.send('POST', '/v1/login', { body: { username: ann.username, password: PASSWORD } }), 403, 'user_disabled');
      // Who does not have the password is not told.
      expectProblem(
        await auth.send('POST', '/v1/login', { body: { username: ann.username, password: 'wrong password' } }),
        401,
        'login_failed',
      );
    }
    expect(await judged(bob)).toEqual(ALIVE);
    await expectEnded(await admin(ann.userId, 'enable'), ann);
    await vi.waitFor(async () => expect(await judged(await logIn(other, ann.username))).toEqual(ALIVE));
    await expect.poll(async () => (await admin(ann.userId, 'enable')).body).toMatchObject({ changed: false, propagated: true });
  });

  it('authorities that change, and a log-out everywhere, end what a user has', async () => {
    const ann = await logIn(one);
    await expectEnded(await admin(ann.userId, 'authorities', { authorities: ['auditor'] }), ann);
    const again = await logIn(other, ann.username);
    expect([await judged(again), claims(again.accessToken)['authorities']]).toEqual([ALIVE, ['auditor']]);
    const answer = await other.send('POST', '/v1/logout-everywhere', { bearer: again.accessToken });
    await expectEnded(answer, again);
  });
});

describe('a change of password', () => {
  const change = (auth: Running, bearer: string, body: object): Promise<Answer> =>
    auth.send('POST', '/v1/users/me/password', { bearer, body });
  const passwords = { oldPassword: PASSWORD, newPassword: NEW_PASSWORD };

  it('ends all that the user has, on every instance, and the old password', async () => {
    const ann = await logIn(one);
    const elsewhere = await logIn(other, ann.username);
    const answer = await change(other, ann.accessToken, passwords);
    await expectEnded(answer, ann);
    await expectEnded(answer, elsewhere);
    expect(Object.keys(answer.body).toSorted()).toEqual(['propagated', 'userId']);
    for (const auth of [one, other]) {
      expectProblem(await auth.send('POST', '/v1/login', { body: { username: ann.username, password: PASSWORD } }), 401, 'login_failed');
      expect((await auth.send('POST', '/v1/login', { body: { username: ann.username, password: NEW_PASSWORD } })).status).toBe(200);
    }
  });

  it('keeps the one signed in who asks for it, by a new session', async () => {
    const ann = await logIn(one);
    const answer = await change(one, ann.sessionToken, { ...passwords, staySignedIn: true });
    await expectEnded(answer, ann);
    expect(await judged(answer.body as unknown as Login)).toEqual(ALIVE);
  });

  it('is refused for a wrong, short, breached or unchanged password, and then ends nothing', async () => {
    const ann = await logIn(one);
    const refused = async (body: object, status: number, code: string): Promise<void> =>
      expectProblem(await change(one, ann.accessToken, { ...passwords, ...body }), status, code);
    await refused({ oldPassword: 'another one' }, 403, 'password_wrong');
    await refused({ newPassword: 'short' }, 400, 'bad_request');
    await refused({ newPassword: 'known to everybody' }, 422, 'password_breached');
    await refused({ newPassword: PASSWORD }, 400, 'bad_request');
    await refused({ staySignedIn: 'yes' }, 400, 'bad_request');
    expect(await judged(ann)).toEqual(ALIVE);
    expectProblem(await one.send('POST', '/v1/users/me/password', { body: passwords }), 401, 'unauthenticated');
    expectProblem(
      await one.send('POST', '/v1/users', { body: { username: 'breached', password: 'known to everybody' } }),
      422,
      'password_breached',
    );
  });

  it('counts its failures with those of log-ins: a stolen session tries no passwords out', async () => {
    const ann = await logIn(other);
    const headers = { 'x-forwarded-for': '192.0.2.7' };
    const tryOut = (oldPassword: string): Promise<Answer> =>
      other.send('POST', '/v1/users/me/password', { bearer: ann.accessToken, body: { ...passwords, oldPassword }, headers });
    for (let n = 0; n < 3; n++) expectProblem(await tryOut(`guess ${n}`), 403, 'password_wrong');
    expectProblem(await tryOut(PASSWORD), 429, 'too_many_attempts');
    const body = { username: ann.username, password: PASSWORD };
    expectProblem(await other.send('POST', '/v1/login', { body, headers }), 429, 'too_many_attempts');
  });

  it('of two at once one counts', async () => {
    const ann = await logIn(one);
    const answers = await Promise.all(
      [one, other].map((auth, i) => change(auth, ann.accessToken, { ...passwords, newPassword: `new password ${i}` })),
    );
    const statuses = answers.map(({ status }) => status);
    expect(statuses).toContain(200);
    const worked = await Promise.all(
      [0, 1].map(
        async (i) => (await one.send('POST', '/v1/login', { body: { username: ann.username, password: `new password ${i}` } })).status,
      ),
    );
    expect(new Set(worked)).toEqual(new Set([200, 401]));
    expect(worked[0] === 200).toBe(statuses[0] === 200);
    expect(await judged(ann)).toEqual(ENDED);
  });

  it('whose process dies before the sessions are ended is followed by their end', async () => {
    const ann = await logIn(other);
    const record = `INSERT INTO user_end_owed (user_id, reason, since) VALUES ($1, 'password changed', wherry_now() - 100000)`;
    await cluster.control.query(record, [ann.userId]);
    // Two look at once; the record is paid by one of them.
    await using first = await startService(cluster, { upkeepMs: 10 });
    await using second = await startService(cluster, { upkeepMs: 10 });
    await vi.waitFor(async () => expect((await cluster.control.query('SELECT FROM user_end_owed')).rowCount).toBe(0));
    await vi.waitFor(async () => expect(await judged(ann)).toEqual(ENDED));
    for (const { service } of [first, second]) {
      await vi.waitFor(() => expect(service.runtime.ended.minimumGeneration(ann.userId)).toBe(1));
    }
  });

  it('that may be under way is left alone', async () => {
    const ann = await logIn(other);
    await cluster.control.query(`INSERT INTO user_end_owed (user_id, reason) VALUES ($1, 'password changed')`, [ann.userId]);
    await using looking = await startService(cluster, { upkeepMs: 10 });
    const bob = await logIn(one);
    await cluster.control.query(`INSERT INTO user_end_owed (user_id, reason, since) VALUES ($1, 'a crash', 0)`, [bob.userId]);
    await vi.waitFor(() => expect(looking.service.runtime.ended.minimumGeneration(bob.userId)).toBe(1));
    expect(await judged(ann)).toEqual(ALIVE);
  });
});

describe('an end that a change owes', () => {
  const owed = async (userId: string): Promise<number> =>
    (await cluster.control.query('SELECT FROM user_end_owed WHERE user_id = $1', [userId])).rowCount ?? 0;

  it('is on record while the change is made, and until it is known to have been none or to be paid', async () => {
    const { runtime } = one.service;
    const ends = new UserEnds(runtime, one.service.families, silentLogger);
    const generation = (id: string): number => runtime.ended.minimumGeneration(id);
    const during: number[] = [];
    const change = (id: string, happened: boolean): Promise<unknown> =>
      ends.after(id, 'tester', 'a test', async () => {
        during.push(await owed(id), generation(id));
        return happened;
      });
    expect(await change('owed-1', true)).toMatchObject({ generation: 1 });
    expect(await change('owed-2', false)).toBeUndefined();
    expect([during, await owed('owed-1'), await owed('owed-2'), generation('owed-2')]).toEqual([[1, 0, 1, 0], 0, 0, 0]);
    // Nobody knows whether it happened: the end stays owed, and comes.
    const lost = ends.after('owed-3', 'tester', 'a test', () =>
      Promise.reject(new WherryError('shard_unavailable', 'the answer was lost')),
    );
    await expect(lost).rejects.toMatchObject({ code: 'shard_unavailable' });
    expect([await owed('owed-3'), generation('owed-3')]).toEqual([1, 0]);
    await new UserEnds(runtime, one.service.families, silentLogger, -1).retry();
    expect([await owed('owed-3'), generation('owed-3')]).toEqual([0, 1]);
  });
});

// Last: tokens of the second in which it comes end with it.
describe('the end of all tokens', () => {
  it('all access tokens of the issuer end, and the session is the way to a new one', async () => {
    const ann = await logIn(one);
    const { iat } = claims(ann.accessToken);
    expectProblem(
      await one.send('POST', '/v1/admin/issuer/revoke', { body: { reason: 'a test', notBefore: Number(iat) + 3600 }, ...operator }),
      400,
      'bad_request',
    );
    expectProblem(
      await one.send('POST', '/v1/admin/issuer/revoke', { body: { reason: 'a test' }, bearer: ann.accessToken }),
      403,
      'forbidden',
    );
    const answer = await one.send('POST', '/v1/admin/issuer/revoke', { body: { reason: 'a test' }, ...operator });
    await expectEnded(answer, ann, [200, 401, 200, 401, false]);
    await vi.waitFor(async () => {
      const { status, body } = await other.exchange({
        grant_type: EXCHANGE,
        subject_token: ann.sessionToken,
        subject_token_type: 'urn:wherry:token-type:session',
      });
      expect(status).toBe(200);
      expect(await judged({ ...ann, accessToken: String(body['access_token']) })).toEqual(ALIVE);
    });
  });
});
