import { randomBytes } from 'node:crypto';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { REVOCATION_TOPIC } from '@wherry/revocation';
import { moveRollout, readRollout } from '@wherry/rollout';
import { afterAll, beforeAll, beforeEach, expect, inject, it } from 'vitest';
import { PhaseBench, type PhaseNode } from '../phases/phase-bench.ts';
import { roleValue } from './role-tokens.ts';
import { LIFE_MS } from './session-value.ts';

// An application that knows nothing of tokens changes roles in its own store; auth and gateways are real.
let bench: PhaseBench;
let auth: PhaseNode;
let gateways: readonly PhaseNode[];
/** The session of the test. */
let rawId: string;

beforeAll(async () => {
  bench = await PhaseBench.create(inject('postgresUrl'), inject('redisUrl'));
  auth = await bench.auth('auth');
  gateways = [await bench.gateway('gateway one', auth), await bench.gateway('gateway two', auth)];
  const { version } = await readRollout(bench.cluster.control);
  await moveRollout(bench.cluster.control, { command: 'advance' }, { actor: 'tester', expectedVersion: version });
  await bench.settled();
});
afterAll(() => bench[Symbol.asyncDispose]());
beforeEach(() => {
  rawId = randomBytes(18).toString('base64url');
});

/** As the application saves it; then all have heard, which an acknowledgement waits for no longer than a second. */
async function save(user: number, ...roles: string[]): Promise<void> {
  expect(await bench.carried.save(rawId, roleValue(user, roles), LIFE_MS)).toBe('saved');
  const { rows } = await bench.cluster.control.query<{ seq: bigint }>('SELECT seq FROM feed_topic WHERE topic = $1', [REVOCATION_TOPIC]);
  if (rows[0] !== undefined) expect(await auth.runtime.instance.acknowledged(REVOCATION_TOPIC, rows[0].seq, PATIENT_MS)).toBe(true);
}

interface Tokens {
  readonly access: string;
  readonly refresh: string;
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

async function grant(form: Record<string, string>): Promise<Tokens & { readonly status: number; readonly code: unknown }> {
  const answer = await fetch(`${auth.url}/oauth/token`, { method: 'POST', body: new URLSearchParams(form) });
  const body = (await answer.json()) as Record<string, unknown>;
  return { status: answer.status, code: body['code'], access: textOf(body['access_token']), refresh: textOf(body['refresh_token']) };
}

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const exchange = (): ReturnType<typeof grant> =>
  grant({
    grant_type: EXCHANGE,
    subject_token_type: 'urn:wherry:token-type:legacy-cookie',
    subject_token: bench.cookie.build(rawId).slice('connect.sid='.length),
    scope: 'offline_access',
  });

/** What a gateway, or auth itself, makes of a token, and what the answer brings. */
async function ask(node: PhaseNode, token: string, refresh?: string): Promise<{ readonly said: string; readonly renewed: string | null }> {
  const cookie = refresh === undefined ? {} : { cookie: `__Host-rt=${refresh}` };
  const headers = { authorization: `Bearer ${token}`, ...cookie };
  const answer = await fetch(`${node.url}${node.role === 'auth' ? '/v1/whoami' : '/auth'}`, { headers });
  const renewed = answer.headers.get('x-wherry-access-token');
  if (node.role === 'gateway')
    return { said: `${answer.status} ${answer.headers.get(answer.ok ? 'x-wherry-authorities' : 'x-wherry-reason')}`, renewed };
  const body = (await answer.json()) as { readonly authorities?: string[]; readonly code?: string };
  return { said: `${answer.status} ${body.authorities?.join(',') ?? body.code}`, renewed };
}
const said = async (token: string): Promise<string[]> =>
  Promise.all([auth, ...gateways].map(async (node) => (await ask(node, token)).said));
const all = (text: string): string[] => [text, text, text];

it.each([
  ['loses', ['USER', 'ADMIN'], ['USER']],
  ['gains', ['USER'], ['USER', 'ADMIN']],
])(
  'a user who %s roles has the new ones at once, by whichever way he gets a token, and is signed in all the time',
  async (_, before, after) => {
    await save(1, ...before);
    const old = await exchange();
    expect(await said(old.access)).toEqual(all(`200 ${before.join(',')}`));
    await save(1, ...after);
    expect(await said(old.access)).toEqual(all('401 token_session_changed'));
    const narrower = {
      grant_type: EXCHANGE,
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      subject_token: old.access,
    };
    expect(await grant(narrower)).toMatchObject({ status: 400, code: 'token_session_changed' });
    const now = `200 ${after.join(',')}`;
    // By the session, by the cookie that renews on the way, and by the token endpoint.
    expect(await said((await exchange()).access)).toEqual(all(now));
    const [gateway] = gateways;
    if (gateway === undefined) throw new Error('two were started');
    const silent = await ask(gateway, old.access, old.refresh);
    expect(silent.said).toBe(now);
    expect(await said(silent.renewed ?? '')).toEqual(all(now));
    const renewed = await grant({ grant_type: 'refresh_token', refresh_token: (await exchange()).refresh });
    expect(await said(renewed.access)).toEqual(all(now));
  },
);

it('a session that is handed to another user gives the first one nothing any more, nor by what he renews with', async () => {
  await save(2, 'USER');
  const first = await exchange();
  await save(3, 'ADMIN');
  expect(await said(first.access)).toEqual(all('401 token_session_changed'));
  for (const gateway of gateways) {
    const silent = await ask(gateway, first.access, first.refresh);
    expect([silent.said, silent.renewed]).toEqual(['401 token_session_changed', null]);
  }
  expect(await grant({ grant_type: 'refresh_token', refresh_token: first.refresh })).toMatchObject({ status: 400, access: '' });
  expect(await said((await exchange()).access)).toEqual(all('200 ADMIN'));
});

it('a token of each of many changes, as fast as they come, holds until the next', async () => {
  let last: Tokens | undefined;
  for (let n = 0; n < 6; n++) {
    await save(4, 'USER', `TENANT_${n}`);
    if (last !== undefined) expect(await said(last.access)).toEqual(all('401 token_session_changed'));
    last = await exchange();
    expect(await said(last.access)).toEqual(all(`200 USER,TENANT_${n}`));
  }
});
