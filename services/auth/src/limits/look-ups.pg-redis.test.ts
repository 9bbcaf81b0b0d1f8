import { PATIENT_MS } from '@wherry/embedded/testing';
import {
  ExpressCookie,
  SESSION_FORMATS,
  expressJsonDecoder,
  mintSessionToken,
  type SessionCookie,
  type SourceStore,
} from '@wherry/sessions';
import { createRedisSource } from '@wherry/sessions/redis';
import type { Cluster } from '@wherry/shards/testing';
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { startAuthCluster } from '../testing/cluster.ts';
import { EXCHANGE, startService, type Running } from '../testing/service.ts';

const HOUR = 3_600_000;
const ATTACKER = '198.51.100.66';
const ELSEWHERE = '203.0.113.9';
const signed = new ExpressCookie({ secrets: ['keyboard cat'] });
const unsigned = SESSION_FORMATS.find(({ name }) => name === 'php')!.cookie({ secrets: [] });
const decode = expressJsonDecoder({ identity: { userId: 'user.id', username: 'user.name', authorities: ['user.roles'] } });
const made = (): string => randomBytes(16).toString('hex');

let cluster: Cluster;
let store: SourceStore;
let byAnybody: Running;
let bySigner: Running;
beforeAll(async () => {
  cluster = await startAuthCluster(inject('postgresUrl'), 'source');
  store = createRedisSource({ url: inject('redisUrl'), prefix: `${made()}:`, timeoutMs: PATIENT_MS });
  byAnybody = await start(unsigned);
  bySigner = await start(signed);
});
afterAll(async () => {
  await byAnybody[Symbol.asyncDispose]();
  await bySigner[Symbol.asyncDispose]();
  await store.close();
  await cluster[Symbol.asyncDispose]();
});

/** Nothing comes back within a test: an address has ten looks that are wasted. */
async function start(cookie: SessionCookie): Promise<Running> {
  return startService(cluster, { source: { store, decode, cookie }, endpointLimits: { perAddress: '100/1d' } });
}

async function signIn(): Promise<string> {
  const rawId = made();
  await store.save(rawId, JSON.stringify({ cookie: {}, user: { id: 42, name: 'ada', roles: [] } }), HOUR, 0);
  return rawId;
}

async function ask(auth: Running, method: string, path: string, headers: Readonly<Record<string, string>>, from: string): Promise<string> {
  const { status, body } = await auth.send(method, path, { headers: { ...headers, 'x-forwarded-for': from } });
  const code = body['code'];
  return typeof code === 'string' ? `${status} ${code}` : String(status);
}

async function flood(auth: Running, path: string, from: string, headers: () => Record<string, string>): Promise<Record<string, number>> {
  const method = path === '/v1/whoami' ? 'GET' : 'POST';
  const codes = await Promise.all(Array.from({ length: 60 }, () => ask(auth, method, path, headers(), from)));
  return Object.fromEntries([...Map.groupBy(codes, (code) => code)].map(([code, all]) => [code, all.length]));
}

const records = async (): Promise<unknown> => (await cluster.control.query('SELECT count(*)::int AS n FROM revocation')).rows[0];
const madeUpCookie = (): Record<string, string> => ({ cookie: unsigned.build(made()) });
const madeUpToken = (): Record<string, string> => ({
  authorization: `Bearer ${mintSessionToken(BigInt(`0x${made().slice(0, 14)}`)).token}`,
});

describe('a session that a request names', () => {
  it.each([
    ['/v1/whoami', '198.51.100.1', madeUpCookie],
    ['/v1/logout', '198.51.100.2', madeUpCookie],
    ['/v1/logout-everywhere', '198.51.100.3', madeUpCookie],
    ['/v1/whoami', '198.51.100.4', madeUpToken],
    ['/v1/logout', '198.51.100.5', madeUpToken],
  ])(
    '%s from %s: is looked for ten times in vain and no more, also when all come at once, and nothing is written',
    async (path, from, headers) => {
      const before = await records();
      expect(await flood(byAnybody, path, from, headers)).toEqual({ '401 session_unknown': 10, '429 rate_limited': 50 });
      expect(await ask(byAnybody, 'GET', '/v1/whoami', headers(), ELSEWHERE)).toBe('401 session_unknown');
      expect(await records()).toEqual(before);
    },
  );

  it('costs nothing where it is there, and ends by its cookie, as often as it is asked for', async () => {
    const rawId = await signIn();
    const headers = { cookie: unsigned.build(rawId) };
    for (let n = 0; n < 30; n++) expect(await ask(byAnybody, 'GET', '/v1/whoami', headers, ATTACKER)).toBe('200');
    for (let n = 0; n < 12; n++) expect(await ask(byAnybody, 'POST', '/v1/logout', headers, ATTACKER)).toBe('204');
    expect(await ask(byAnybody, 'GET', '/v1/whoami', headers, ATTACKER)).toBe('401 session_ended');
    expect(await flood(byAnybody, '/v1/whoami', ATTACKER, madeUpCookie)).toEqual({ '401 session_unknown': 10, '429 rate_limited': 50 });
  });

  it('is looked for each time, and ended also where it is not there, by a cookie that the application has signed', async () => {
    const headers = (): Record<string, string> => ({ cookie: signed.build(made()) });
    expect(await flood(bySigner, '/v1/whoami', ATTACKER, headers)).toEqual({ '401 session_unknown': 60 });
    const before = (await records()) as { n: number };
    expect(await ask(bySigner, 'POST', '/v1/logout', headers(), ATTACKER)).toBe('204');
    expect(await records()).toEqual({ n: before.n + 1 });
  });

  it('is none that anybody may have made up of what no id is made of', async () => {
    // As of an application whose ids have no form.
    const formless = Object.assign(Object.create(unsigned) as SessionCookie, {
      verify: (rawId: string) => ({ outcome: 'verified', rawId }) as const,
      read: (header: string | undefined) => ({ outcome: 'verified', rawId: decodeURIComponent(header?.split('=')[1] ?? '') }) as const,
    });
    await using auth = await startService(cluster, { source: { store, decode, cookie: formless } });
    for (const rawId of ['a b', 'a\nb', 'a\u0000', 'é', 'a'.repeat(257)]) {
      expect(await ask(auth, 'GET', '/v1/whoami', { cookie: `x=${encodeURIComponent(rawId)}` }, ELSEWHERE)).toBe(
        '401 session_cookie_invalid',
      );
      const subject = { subject_token: rawId, subject_token_type: 'urn:wherry:token-type:legacy-cookie' };
      expect((await auth.exchange({ grant_type: EXCHANGE, ...subject })).body['code']).toBe('session_cookie_invalid');
    }
  });

  it('is none where the cookie is not of its form', async () => {
    const headers = { cookie: `${unsigned.name}=${'a'.repeat(300)}` };
    for (let n = 0; n < 12; n++)
      expect(await ask(byAnybody, 'POST', '/v1/logout', headers, '198.51.100.7')).toBe('401 session_cookie_invalid');
  });
});
