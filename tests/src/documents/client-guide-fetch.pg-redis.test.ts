import type { webcrypto } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { blocksOf, pageOf } from './testing/page.ts';
import { Town } from './testing/town.ts';

interface Api {
  (url: string, options?: RequestInit): Promise<Response>;
}
interface ApiOptions {
  readonly auth: string;
  readonly clientId: string;
  readonly session: () => string | undefined;
  readonly store: { get(): Promise<string | undefined>; set(token: string | undefined): Promise<void> };
  readonly onSignedOut?: (code: string) => void;
}
interface ProofOptions {
  readonly method: string;
  readonly url: string;
  readonly accessToken?: string;
}

/** The module that stands in the page under a name. */
async function moduleOf<M>(name: string): Promise<M> {
  const block = blocksOf(pageOf('8-client-guide.md')).find(({ language, words }) => language === 'js' && words[0] === name);
  if (block === undefined) throw new Error(`the page has no module ${name}`);
  return (await import(`data:text/javascript,${encodeURIComponent(block.text)}`)) as M;
}

const { createApi } = await moduleOf<{ createApi(options: ApiOptions): Api }>('api');
const { createPageApi } = await moduleOf<{ createPageApi(token: string, onSignedOut: (code: string) => void): Api }>('page');
const { createDpopKey, dpopProof } = await moduleOf<{
  createDpopKey(): Promise<webcrypto.CryptoKeyPair>;
  dpopProof(key: webcrypto.CryptoKeyPair, options: ProofOptions): Promise<string>;
}>('dpop');

let town: Town;
beforeAll(async () => {
  town = await Town.found(inject('postgresUrl'), { redisUrl: inject('redisUrl') });
});
afterAll(async () => town[Symbol.asyncDispose]());

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
/** Keeps a refresh token as a key chain does. */
function keyChain(): ApiOptions['store'] & { kept: string | undefined } {
  return {
    kept: undefined,
    async get() {
      return this.kept;
    },
    async set(token) {
      this.kept = token;
    },
  };
}
/** Answers the status, and the kind by which the application saw the user. */
async function see(answer: Response): Promise<string> {
  const { kind, code } = (await answer.json()) as { readonly kind?: string; readonly code?: string };
  return `${answer.status} ${kind ?? code ?? ''}`;
}

describe('the fetch of the page', () => {
  it('goes on by the session while no tokens are given out, by tokens from then on, and asks once for all', async () => {
    const asked = vi.spyOn(globalThis, 'fetch');
    const exchanges = (): number => asked.mock.calls.filter(([url]) => url === `${town.addresses.AUTH}/oauth/token`).length;
    try {
      const { AUTH, API } = town.addresses;
      const sessionToken = await town.logIn('ben');
      const options = { auth: AUTH, clientId: 'app', session: () => sessionToken, store: keyChain() };
      const early = createApi(options);
      expect([await see(await early(`${API}/whoami`)), await see(await early(`${API}/whoami`)), exchanges()]).toEqual([
        '200 session',
        '200 session',
        1,
      ]);
      await town.advanceTo('dual');
      const before = exchanges();
      const api = createApi(options);
      const answers = await Promise.all([1, 2, 3, 4].map(async () => see(await api(`${API}/whoami`))));
      expect([...answers, exchanges() - before]).toEqual(['200 jwt', '200 jwt', '200 jwt', '200 jwt', 1]);
      // A token that somebody has revoked is replaced on its next use.
      const used = new Headers(asked.mock.calls.at(-1)?.[1]?.headers).get('authorization') ?? '';
      await fetch(`${AUTH}/oauth/revoke`, { method: 'POST', body: new URLSearchParams({ client_id: 'app', token: used.slice(7) }) });
      expect(await see(await api(`${API}/whoami`))).toBe('200 jwt');
      expect(exchanges() - before).toBe(2);
    } finally {
      asked.mockRestore();
    }
  });

  it('says when only a log-in helps', async () => {
    await town.advanceTo('dual');
    const { AUTH, API } = town.addresses;
    const sessionToken = await town.logIn('cleo');
    const signedOut: string[] = [];
    const api = createApi({
      auth: AUTH,
      clientId: 'app',
      session: () => sessionToken,
      store: keyChain(),
      onSignedOut: (code) => signedOut.push(code),
    });
    expect(await see(await api(`${API}/whoami`))).toBe('200 jwt');
    await fetch(`${AUTH}/v1/logout`, { method: 'POST', headers: { authorization: `Bearer ${sessionToken}` } });
    await expect(api(`${API}/whoami`)).rejects.toMatchObject({ status: 400, code: 'session_ended' });
    expect(signedOut).toEqual(['session_ended']);
  });
});

describe('the fetch of the page, with a refresh token', () => {
  it('renews by it, survives a lost answer, and goes back to the session where it is no good', async () => {
    await town.advanceTo('dual');
    const { AUTH, API } = town.addresses;
    const sessionToken = await town.logIn('dora');
    const store = keyChain();
    let session: string | undefined = sessionToken;
    const begin = (): Api => createApi({ auth: AUTH, clientId: 'app', session: () => session, store });
    expect(await see(await begin()(`${API}/whoami`))).toBe('200 jwt');
    const first = store.kept;
    expect(first).toMatch(/^rt_/);
    // From here on it has no session token, as from drain on.
    session = undefined;
    expect(await see(await begin()(`${API}/whoami`))).toBe('200 jwt');
    const second = store.kept;
    expect(second).not.toBe(first);
    // As if the answer had not come: the same successor.
    await store.set(first);
    expect(await see(await begin()(`${API}/whoami`))).toBe('200 jwt');
    expect(store.kept).toBe(second);
    // What is used up for good is reuse; the session is the way back.
    expect(await see(await begin()(`${API}/whoami`))).toBe('200 jwt');
    await store.set(first);
    session = sessionToken;
    expect(await see(await begin()(`${API}/whoami`))).toBe('200 jwt');
    expect(store.kept).toMatch(/^rt_/);
    expect(store.kept).not.toBe(first);
  });
});

describe('the fetch for pages', () => {
  it('takes over what the gateway renews on the way, and says when that is over', async () => {
    await town.advanceTo('dual');
    const { AUTH, API } = town.addresses;
    const sessionToken = await town.logIn('finn');
    const exchanged = await fetch(`${AUTH}/oauth/token`, {
      method: 'POST',
      body: new URLSearchParams({
        client_id: 'app',
        grant_type: EXCHANGE,
        scope: 'offline_access',
        subject_token_type: 'urn:wherry:token-type:session',
        subject_token: sessionToken,
      }),
    });
    const { refresh_token: refreshToken } = (await exchanged.json()) as { readonly refresh_token: string };
    const signedOut: string[] = [];
    const api = createPageApi(await town.expiredToken(sessionToken), (code) => signedOut.push(code));
    const headers = { cookie: `__Host-rt=${refreshToken}` };
    const several = await Promise.all([1, 2, 3].map(async () => see(await api(`${API}/whoami`, { headers }))));
    expect(several).toEqual(['200 jwt', '200 jwt', '200 jwt']);
    // Now by the new token alone.
    expect(await see(await api(`${API}/whoami`))).toBe('200 jwt');
    expect(signedOut).toEqual([]);
    await fetch(`${AUTH}/v1/logout`, { method: 'POST', headers: { authorization: `Bearer ${sessionToken}` } });
    expect(await see(await api(`${API}/whoami`, { headers }))).toBe('401 token_session_ended');
    expect(signedOut).toEqual(['token_session_ended']);
  });
});

describe('the proof of the page', () => {
  it('binds a token at auth and is taken at the gateway, once and with its key alone', async () => {
    await town.advanceTo('dual');
    const { AUTH, API } = town.addresses;
    const key = await createDpopKey();
    const exchanged = await fetch(`${AUTH}/oauth/token`, {
      method: 'POST',
      headers: { dpop: await dpopProof(key, { method: 'POST', url: 'https://auth.shop.example/oauth/token' }) },
      body: new URLSearchParams({
        client_id: 'app',
        grant_type: EXCHANGE,
        subject_token_type: 'urn:wherry:token-type:legacy-cookie',
        subject_token: await town.signIn(4),
      }),
    });
    const { access_token: accessToken, token_type } = (await exchanged.json()) as Record<string, string>;
    expect([exchanged.status, token_type]).toEqual([200, 'DPoP']);
    if (accessToken === undefined) throw new Error('no token came');
    const use = async (headers: Record<string, string>): Promise<string> => see(await fetch(`${API}/whoami?page=2`, { headers }));
    const proof = await dpopProof(key, { method: 'GET', url: 'https://api.shop.example/whoami?page=2', accessToken });
    const bound = { authorization: `DPoP ${accessToken}` };
    expect(await use({ ...bound, dpop: proof })).toBe('200 jwt');
    expect(await use({ ...bound, dpop: proof })).toBe('401 dpop_proof_replayed');
    expect(await use({ authorization: `Bearer ${accessToken}` })).toBe('401 token_bound');
    const stranger = await dpopProof(await createDpopKey(), { method: 'GET', url: 'https://api.shop.example/whoami', accessToken });
    expect(await use({ ...bound, dpop: stranger })).toBe('401 dpop_key_wrong');
  });
});
