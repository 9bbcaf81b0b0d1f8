import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApp, type RunningApp } from './start-app.ts';

/** What the application does, on whichever store; `env` names the store. */
export function describeApp(name: string, env: () => Readonly<Record<string, string>>): void {
  describe(name, () => {
    let app: RunningApp;
    beforeAll(async () => {
      app = await startApp(env());
    });
    afterAll(async () => {
      expect(await app.stop()).toBe(0);
    });

    const send = (path: string, body?: unknown, cookie?: string, headers: Record<string, string> = {}): Promise<Response> =>
      fetch(`${app.url}${path}`, {
        ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
        headers: { 'content-type': 'application/json', ...(cookie === undefined ? {} : { cookie }), ...headers },
      });
    const cookieOf = (response: Response): string => (response.headers.get('set-cookie') ?? '').split(';', 1)[0] ?? '';
    const logIn = async (n: number): Promise<string> => cookieOf(await send('/login', { name: `user${n}`, password: `pw-user${n}` }));

    it('signs a user in and knows him on the next request, with a rolling cookie', async () => {
      const cookie = await logIn(7);
      const me = await send('/me', undefined, cookie);
      expect(await me.json()).toMatchObject({ user: { id: 10_007, name: 'user7', roles: ['member', 'editor'] } });
      expect(cookieOf(me)).toBe(cookie);
      const whoami = (await (await send('/whoami', undefined, cookie)).json()) as { userId: string; authorities: string[]; kind: string };
      expect(whoami).toMatchObject({ userId: '10007', kind: 'session' });
      expect(whoami.authorities).toEqual(expect.arrayContaining(['member', 'editor']));
    });

    it('refuses a wrong password, a missing session and a forged cookie', async () => {
      expect((await send('/login', { name: 'user7', password: 'x' })).status).toBe(401);
      expect((await send('/login', { name: ['user7'], password: null })).status).toBe(401);
      for (const cookie of [undefined, 'connect.sid=s%3Anobody.AAAA', 'connect.sid=plain']) {
        expect((await send('/me', undefined, cookie)).status).toBe(401);
      }
    });

    it('believes identity headers only when told to', async () => {
      const headers = { 'x-wherry-user-id': '1', 'x-wherry-authorities': 'admin' };
      expect((await send('/whoami', undefined, undefined, headers)).status).toBe(401);
    });

    it('changes the session by the cart and keeps the cart over a rotation, after which the old id is dead', async () => {
      const before = await logIn(8);
      expect(await (await send('/cart', { item: 'tea' }, before)).json()).toMatchObject({ items: 1 });
      const rotated = await send('/rotate', {}, before);
      const after = cookieOf(rotated);
      expect(after).not.toBe(before);
      expect((await send('/me', undefined, before)).status).toBe(401);
      expect(await (await send('/cart', { item: 'milk' }, after)).json()).toMatchObject({ items: 2 });
    });

    it('logs out: the credential is dead when the answer has arrived', async () => {
      const cookie = await logIn(9);
      expect((await send('/logout', {}, cookie)).status).toBe(204);
      expect((await send('/me', undefined, cookie)).status).toBe(401);
    });

    it('seeds sessions through the store that work as if their users had logged in', async () => {
      const before = Date.now();
      const answer = await send('/seed', { from: 100, count: 150, ttlSeconds: 600 });
      const seeded = (await answer.text())
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, unknown>);
      expect(new Set(seeded.map((line) => line['userId'])).size).toBe(150);
      for (const line of seeded.slice(0, 5)) {
        const response = await send('/whoami', undefined, `connect.sid=${encodeURIComponent(String(line['cookie']))}`);
        expect(await response.json()).toMatchObject({ userId: line['userId'], authorities: line['authorities'] });
        expect(line['expiresAt']).toBeGreaterThanOrEqual(before + 600_000 - 1000);
        expect(line['expiresAt']).toBeLessThanOrEqual(Date.now() + 600_000 + 1000);
      }
    });

    it('answers bad input with a clear error', async () => {
      expect(await (await send('/seed', { from: -1, count: 1 })).json()).toMatchObject({ error: 'seed_invalid' });
      expect((await send('/seed', { from: 1, count: 1 }, undefined, { 'x-forwarded-for': '10.0.0.1' })).status).toBe(404);
      const cookie = await logIn(10);
      expect(await (await send('/cart', { item: 7 }, cookie)).json()).toEqual({ error: 'item_invalid' });
      const broken = await fetch(`${app.url}/cart`, { method: 'POST', body: '{', headers: { 'content-type': 'application/json', cookie } });
      expect(broken.status).toBe(400);
      expect((await send('/nowhere')).status).toBe(404);
    });
  });
}
