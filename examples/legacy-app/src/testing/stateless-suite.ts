import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { IdentitySigner, SIGNATURE_HEADER, encodeIdentity } from '@wherry/http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApp, type RunningApp } from './start-app.ts';

const GATEWAY_SECRET = 'a secret of the gateway, 32 bytes long';
const CLIENT_SECRET = 'a secret of the client';

/** What the application does without sessions; `env` names the store of its carts. */
export function describeStatelessApp(name: string, env: () => Readonly<Record<string, string>>): void {
  describe(name, () => {
    let app: RunningApp;
    let auth: Server;
    let asked: { readonly authorization: string | undefined; readonly body: Record<string, unknown> }[] = [];
    /** What the service answers next, the first first; with none left, it answers as it should. */
    let answers: { readonly status: number; readonly body: string }[] = [];
    beforeAll(async () => {
      auth = createServer((request, response) => {
        void buffer(request).then((body) => {
          asked.push({ authorization: request.headers.authorization, body: JSON.parse(body.toString()) as Record<string, unknown> });
          const { status, body: text } = answers.shift() ?? { status: 200, body: '{"sessionId":"7","accessToken":"a.b.c","expiresIn":10}' };
          response.writeHead(status, { 'content-type': 'application/json' }).end(text);
        });
      });
      await new Promise<void>((resolve) => auth.listen(0, '127.0.0.1', resolve));
      app = await startApp({
        ...env(),
        SESSION_SECRET: '',
        LEGACY_STATELESS: '1',
        LEGACY_AUTH_URL: `http://127.0.0.1:${(auth.address() as AddressInfo).port}`,
        LEGACY_CLIENT_ID: 'shop',
        LEGACY_CLIENT_SECRET: CLIENT_SECRET,
        GATEWAY_SECRET,
      });
    });
    afterAll(async () => {
      expect(await app.stop()).toBe(0);
      auth.closeAllConnections();
      await new Promise((resolve) => auth.close(resolve));
    });

    const signed = (userId: string, secret = GATEWAY_SECRET): Record<string, string> => {
      const identity = encodeIdentity({ userId, authorities: ['member', 'region:österreich'], kind: 'jwt', sessionId: '5' });
      return { ...identity, [SIGNATURE_HEADER]: new IdentitySigner({ secrets: [secret] }).sign(identity) };
    };
    const send = (path: string, headers: Record<string, string>, body?: unknown): Promise<Response> =>
      fetch(`${app.url}${path}`, {
        ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
        headers: { 'content-type': 'application/json', ...headers },
      });

    it('believes the gateway, by its signature, and nobody else', async () => {
      expect(await (await send('/whoami', signed('10007'))).json()).toEqual({
        userId: '10007',
        authorities: ['member', 'region:österreich'],
        kind: 'jwt',
      });
      expect((await send('/me', {})).status).toBe(401);
      const { [SIGNATURE_HEADER]: _, ...unsigned } = signed('10007');
      expect((await send('/whoami', unsigned)).status).toBe(401);
      expect((await send('/whoami', { ...signed('10007'), 'x-wherry-user-id': '10008' })).status).toBe(401);
      expect((await send('/whoami', signed('10007', 'another secret, and 32 bytes long too'))).status).toBe(401);
    });

    it('hands a log-in over and passes the tokens on, to be stored by nobody', async () => {
      asked = [];
      const answer = await send('/login', {}, { name: 'user7', password: 'pw-user7' });
      expect(answer.headers.get('cache-control')).toBe('no-store');
      expect(answer.headers.get('set-cookie')).toBeNull();
      expect(await answer.json()).toMatchObject({ accessToken: 'a.b.c', expiresIn: 10, sessionId: '7', user: { id: 10_007 } });
      const [{ authorization, body } = { authorization: undefined, body: {} }] = asked;
      expect(Buffer.from(authorization?.slice(6) ?? '', 'base64').toString()).toBe(`shop:${encodeURIComponent(CLIENT_SECRET)}`);
      expect(body).toMatchObject({ userId: '10007', username: 'user7', renewable: true });
      expect(body).not.toHaveProperty('sourceSessionId');
    });

    it('asks nobody about a wrong password', async () => {
      asked = [];
      expect((await send('/login', {}, { name: 'user7', password: 'x' })).status).toBe(401);
      expect(asked).toEqual([]);
    });

    it('asks again while the service cannot answer, and lets the user try again when it goes on', async () => {
      const away = { status: 503, body: '{}' };
      answers = [away, { status: 502, body: 'not JSON' }];
      expect((await send('/login', {}, { name: 'user7', password: 'pw-user7' })).status).toBe(200);
      answers = [away, away, away];
      expect((await send('/login', {}, { name: 'user7', password: 'pw-user7' })).status).toBe(503);
    });

    it('does not repeat what the service refuses', async () => {
      asked = [];
      answers = [{ status: 401, body: '{"code":"client_unauthenticated"}' }];
      expect((await send('/login', {}, { name: 'user7', password: 'pw-user7' })).status).toBe(500);
      expect(asked).toHaveLength(1);
    });

    it('keeps carts by user, and only so much', async () => {
      const headers = signed('10001');
      for (let n = 1; n <= 22; n++)
        expect(await (await send('/cart', signed('10001'), { item: `tea ${n}` })).json()).toEqual({
          userId: '10001',
          items: Math.min(n, 20),
        });
      expect(await (await send('/cart', signed('10002'), { item: 'tea' })).json()).toMatchObject({ items: 1 });
      expect((await send('/cart', headers, { item: 7 })).status).toBe(400);
      expect((await send('/cart', {}, { item: 'tea' })).status).toBe(401);
    });
  });
}
