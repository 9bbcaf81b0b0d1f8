import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { moveRollout, readRollout } from '@wherry/rollout';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { PhaseBench, TOKEN_S, type PhaseNode } from '../phases/phase-bench.ts';

let bench: PhaseBench;
let auths: readonly PhaseNode[];
let gateways: readonly [PhaseNode, PhaseNode];

beforeAll(async () => {
  bench = await PhaseBench.create(inject('postgresUrl'), inject('redisUrl'));
  auths = [await bench.auth('auth one'), await bench.auth('auth two')];
  gateways = [await bench.gateway('gateway one', auths[0]), await bench.gateway('gateway two', auths[1])];
  const { version } = await readRollout(bench.cluster.control);
  await moveRollout(bench.cluster.control, { command: 'advance' }, { actor: 'tester', expectedVersion: version });
  await bench.settled();
});
afterAll(() => bench[Symbol.asyncDispose]());

/** One who is signed in: his session, an access token that ran out a minute ago, and what renews it. */
interface SignedIn {
  readonly userId: string;
  readonly sessionToken: string;
  readonly sessionId: string;
  readonly expired: string;
  readonly credential: string;
}

const json = { 'content-type': 'application/json' };
let users = 0;

async function signIn(): Promise<SignedIn> {
  const url = auths[0]?.url ?? '';
  const who = { username: `silent${users++}`, password: 'correct horse battery' };
  await fetch(`${url}/v1/users`, { method: 'POST', headers: json, body: JSON.stringify(who) });
  const { sessionToken, userId } = (await (
    await fetch(`${url}/v1/login`, { method: 'POST', headers: json, body: JSON.stringify(who) })
  ).json()) as {
    sessionToken: string;
    userId: string | number;
  };
  const grant = new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token_type: 'urn:wherry:token-type:session',
    subject_token: sessionToken,
    scope: 'offline_access',
  });
  const answer = (await (await fetch(`${url}/oauth/token`, { method: 'POST', body: grant })).json()) as {
    access_token: string;
    refresh_token: string;
  };
  const claims = JSON.parse(Buffer.from(answer.access_token.split('.')[1] ?? '', 'base64url').toString()) as { sid: string };
  const whom = { userId: String(userId), sessionId: claims.sid };
  return { ...whom, sessionToken, expired: expiredToken(whom), credential: answer.refresh_token };
}

/** A token that ran out `agoS` seconds ago, signed as auth signs. */
function expiredToken({ userId, sessionId }: Pick<SignedIn, 'userId' | 'sessionId'>, agoS = 60): string {
  const issuedAt = Math.floor(Date.now() / 1000) - TOKEN_S - agoS;
  const grant = { userId, authorities: [], clientId: 'public', sessionId: BigInt(sessionId), generation: 0 };
  return bench.issuer.issue({ ...grant, issuedAt, authTime: issuedAt, sessionExpiresAt: null }).token;
}

function ask(gateway: PhaseNode, token: string, credential?: string): Promise<Response> {
  const cookie = credential === undefined ? {} : { cookie: `theme=dark; __Host-rt=${credential}` };
  return fetch(`${gateway.url}/auth`, { headers: { authorization: `Bearer ${token}`, ...cookie } });
}

/** The renewal credential that an answer sets; '' where it takes it away, undefined where it says nothing. */
function credentialIn(answer: Response): string | undefined {
  return answer.headers
    .getSetCookie()
    .map((line) => /^__Host-rt=([^;]*); /.exec(line)?.[1])
    .find((value) => value !== undefined);
}

/** Asks again until the answer says that every instance acts on it. */
async function untilPropagated(ask: () => Promise<Response>): Promise<Response> {
  return vi.waitFor(
    async () => {
      const answer = await ask();
      expect(answer.headers.get('x-wherry-propagated')).toBe('true');
      return answer;
    },
    { timeout: PATIENT_MS },
  );
}

const seen = (answer: Response): readonly [number, string | null] => [answer.status, answer.headers.get('x-wherry-reason')];

describe('an access token that has run out', () => {
  it('is renewed on its way by the cookie beside it, and the answer brings the next ones', async () => {
    const user = await signIn();
    const answer = await ask(gateways[0], user.expired, user.credential);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('x-wherry-user-id')).toBe(user.userId);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.headers.getSetCookie()).toEqual([
      expect.stringMatching(/^__Host-rt=rt_[\w.-]+; Path=\/; Max-Age=\d+; Secure; HttpOnly; SameSite=Lax$/),
    ]);
    const token = answer.headers.get('x-wherry-access-token') ?? '';
    expect(Number(answer.headers.get('x-wherry-expires-in'))).toBeGreaterThan(TOKEN_S - 60);
    // The new token passes everywhere, and the new credential renews again.
    expect((await ask(gateways[1], token)).status).toBe(200);
    expect((await ask(gateways[1], user.expired, credentialIn(answer))).status).toBe(200);
  });

  it('is refused without a cookie, with one that is made up, and when it ran out too long ago', async () => {
    const user = await signIn();
    expect(seen(await ask(gateways[0], user.expired))).toEqual([401, 'token_expired']);
    const madeUp = await ask(gateways[0], user.expired, `rt_${'A'.repeat(80)}`);
    expect([...seen(madeUp), credentialIn(madeUp)]).toEqual([401, 'token_expired', '']);
    const old = await ask(gateways[0], expiredToken(user, 2 * TOKEN_S + 60), user.credential);
    expect([...seen(old), credentialIn(old)]).toEqual([401, 'token_expired', undefined]);
    // Nobody has spent the credential.
    expect((await ask(gateways[0], user.expired, user.credential)).status).toBe(200);
  });

  it('has one successor, however many ask at the same time, at whichever gateway', async () => {
    const user = await signIn();
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, n) => ask(gateways[n % 2] ?? gateways[0], user.expired, user.credential)),
    );
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect(new Set(answers.map(credentialIn)).size).toBe(1);
  });

  it('of one user is not renewed by the cookie of another, who loses nothing by it', async () => {
    const [ann, bob] = [await signIn(), await signIn()];
    const answer = await ask(gateways[0], ann.expired, bob.credential);
    expect([...seen(answer), answer.headers.get('x-wherry-access-token')]).toEqual([401, 'token_expired', null]);
    const next = credentialIn(answer) ?? '';
    expect(next).not.toBe('');
    expect((await ask(gateways[0], bob.expired, next)).status).toBe(200);
  });

  it('is not renewed once its session was ended, and the cookie is taken away', async () => {
    const user = await signIn();
    await fetch(`${auths[0]?.url}/v1/logout`, { method: 'POST', headers: { authorization: `Bearer ${user.sessionToken}` } });
    for (const gateway of gateways) {
      const answer = await ask(gateway, user.expired, user.credential);
      expect(answer.status).toBe(401);
      expect(answer.headers.get('x-wherry-access-token')).toBeNull();
    }
  });

  it('is not renewed by a credential that was used before its last successor was: the family ends', async () => {
    const user = await signIn();
    const second = credentialIn(await ask(gateways[0], user.expired, user.credential)) ?? '';
    const third = credentialIn(await ask(gateways[1], user.expired, second)) ?? '';
    expect(third).not.toBe('');
    const replayed = await ask(gateways[0], user.expired, user.credential);
    expect([...seen(replayed), credentialIn(replayed)]).toEqual([401, 'token_expired', '']);
    expect((await ask(gateways[1], user.expired, third)).status).toBe(401);
    // The way back is the session.
    expect((await ask(gateways[0], user.sessionToken)).status).toBe(200);
  });

  it('once renewed, is refused by both gateways when the revocation of its refresh token is answered', async () => {
    const user = await signIn();
    const answer = await ask(gateways[0], user.expired, user.credential);
    const token = answer.headers.get('x-wherry-access-token') ?? '';
    const credential = credentialIn(answer) ?? '';
    // Both have verified it before, and remember that.
    for (const gateway of gateways) expect((await ask(gateway, token)).status).toBe(200);
    const revoked = await untilPropagated(() =>
      fetch(`${auths[1]?.url}/oauth/revoke`, { method: 'POST', body: new URLSearchParams({ token: credential }) }),
    );
    expect(revoked.status).toBe(200);
    for (const gateway of gateways) expect(seen(await ask(gateway, token))).toEqual([401, 'token_ended']);
    for (const gateway of gateways) expect((await ask(gateway, user.sessionToken)).status).toBe(200);
  });

  it('is renewed by a repeat where the answer was lost', async () => {
    const user = await signIn();
    const [lost, again] = [await ask(gateways[0], user.expired, user.credential), await ask(gateways[1], user.expired, user.credential)];
    expect(credentialIn(again)).toBe(credentialIn(lost));
  });
});

describe('an auth service that cannot answer', () => {
  let fake: Server;
  let gateway: PhaseNode;
  let answerWith: (end: (status: number, body: string) => void) => void;
  beforeAll(async () => {
    fake = createServer((request, response) => {
      request.resume();
      answerWith((status, body) => response.writeHead(status, { 'content-type': 'application/json' }).end(body));
    });
    fake.listen(0, '127.0.0.1');
    await once(fake, 'listening');
    const { port } = fake.address() as AddressInfo;
    gateway = await bench.gateway('gateway three', { url: `http://127.0.0.1:${port}` });
    await bench.settled();
  });
  afterAll(() => fake.close());

  it.each([
    ['fails', 500, '{"error":"server_error"}'],
    ['is overrun', 503, '{"error":"temporarily_unavailable"}'],
    ['limits the gateway', 429, '{"error":"slow_down"}'],
    ['answers no JSON', 200, 'OK'],
    ['answers without a token', 200, '{}'],
    [
      'answers with a cookie that cannot be set',
      200,
      '{"access_token":"a.b.c","refresh_token":"a;b","expires_in":5,"refresh_token_expires_in":5}',
    ],
    ['answers too much', 200, JSON.stringify({ access_token: 'x'.repeat(70_000) })],
  ])('signs nobody out when it %s', async (_, status, body) => {
    const user = await signIn();
    answerWith = (end) => end(status, body);
    const answer = await ask(gateway, user.expired, user.credential);
    // Either nobody can say, or the answer is none that this gateway accepts; the cookie stays in any case.
    expect([401, 503]).toContain(answer.status);
    expect(answer.headers.get('x-wherry-access-token')).toBeNull();
    expect(credentialIn(answer)).not.toBe('');
    if (status !== 200) expect(seen(answer)).toEqual([503, 'renewal_unavailable']);
  });

  it('is asked once for all that come with one credential, and holds nobody longer than the time it is given', async () => {
    const user = await signIn();
    let underWay = 0;
    let mostAtOnce = 0;
    const held: (() => void)[] = [];
    let hold = true;
    answerWith = (end) => {
      mostAtOnce = Math.max(mostAtOnce, ++underWay);
      const go = (): void => {
        underWay--;
        end(503, '{}');
      };
      if (hold) held.push(go);
      else go();
    };
    const waiting = Promise.all(Array.from({ length: 20 }, () => ask(gateway, user.expired, user.credential)));
    await vi.waitFor(() => expect(held.length).toBeGreaterThan(0), { timeout: PATIENT_MS });
    // Time for the others to arrive; one that is later than the answer asks anew.
    for (let n = 0; n < 5; n++) expect((await ask(gateway, user.sessionToken)).status).toBe(200);
    hold = false;
    for (const go of held) go();
    expect((await waiting).map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 503));
    expect(mostAtOnce).toBe(1);
    expect((await ask(gateway, user.sessionToken)).status).toBe(200);
  });
});
