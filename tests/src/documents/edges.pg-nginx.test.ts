import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startNginx, type NginxServer } from '@wherry/embedded';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { blocksOf, pageOf } from './testing/page.ts';
import { Town } from './testing/town.ts';

const recipe = blocksOf(pageOf('10-edges.md')).find(({ language }) => language === 'nginx')?.text ?? '';

let upstream: Server;
let town: Town;
let nginx: NginxServer;
beforeAll(async () => {
  upstream = createServer(({ headers }, response) =>
    response.end(JSON.stringify({ cookie: headers.cookie, kind: headers['x-wherry-kind'] })),
  );
  await once(upstream.listen(0, '127.0.0.1'), 'listening');
  const application = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`;
  town = await Town.found(inject('postgresUrl'), { upstream: application });
  nginx = await startNginx({
    command: inject('nginxCommand'),
    http: (port) =>
      recipe
        .replaceAll('http://127.0.0.1:8080', town.addresses.API)
        .replaceAll('http://127.0.0.1:3000', application)
        .replaceAll('listen 127.0.0.1:8000', `listen 127.0.0.1:${port}`),
  });
});
afterAll(async () => {
  await nginx.stop();
  await town[Symbol.asyncDispose]();
  upstream.close();
});

const ask = (headers: Readonly<Record<string, string>>): Promise<Response> => fetch(`${nginx.url}/orders`, { headers });

test('a check renews on the way: the client gets the new credentials, the application none', async () => {
  await town.advanceTo('dual');
  const sessionToken = await town.logIn('gus');
  const exchanged = await fetch(`${town.addresses.AUTH}/oauth/token`, {
    method: 'POST',
    body: new URLSearchParams({
      client_id: 'app',
      scope: 'offline_access',
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token_type: 'urn:wherry:token-type:session',
      subject_token: sessionToken,
    }),
  });
  const { refresh_token: refreshToken } = (await exchanged.json()) as { readonly refresh_token: string };
  const authorization = `Bearer ${await town.expiredToken(sessionToken)}`;
  const cookies = [
    `__Host-rt=${refreshToken}`,
    `a=1; __Host-rt=${refreshToken}`,
    `__Host-rt=${refreshToken}; b=2`,
    `a=1; __Host-rt=${refreshToken}; b=2`,
  ];
  const seen: unknown[] = [];
  for (const cookie of cookies) {
    const answer = await ask({ authorization, cookie });
    seen.push(await answer.json());
    expect(answer.headers.get('set-cookie')).toMatch(/^__Host-rt=rt_/);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    const renewed = answer.headers.get('x-wherry-access-token');
    expect((await ask({ authorization: `Bearer ${renewed}` })).status).toBe(200);
  }
  expect(seen).toEqual([
    { kind: 'jwt' },
    { kind: 'jwt', cookie: 'a=1;' },
    { kind: 'jwt', cookie: 'b=2' },
    { kind: 'jwt', cookie: 'a=1; b=2' },
  ]);
});

test('clients with session tokens are told of their end through a check', async () => {
  await town.advanceTo('led');
  const answer = await ask({ authorization: `Bearer ${await town.logIn('hal')}`, cookie: 'a=1' });
  expect([answer.status, await answer.json()]).toEqual([200, { kind: 'session', cookie: 'a=1' }]);
  expect(answer.headers.get('deprecation')).toBe('@1767225600');
  expect(answer.headers.get('link')).toBe('<https://shop.example/guide>; rel="deprecation"; type="text/html"');
});
