import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startNginx, type NginxServer } from '@wherry/embedded';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { blocksOf, pageOf } from './testing/page.ts';
import { Town } from './testing/town.ts';

const recipe = blocksOf(pageOf('8-client-guide.md')).find(({ language }) => language === 'nginx')?.text ?? '';

let upstream: Server;
let town: Town;
let nginx: NginxServer;
beforeAll(async () => {
  upstream = createServer((request, response) => response.end(String(request.headers['x-wherry-user-id'])));
  await once(upstream.listen(0, '127.0.0.1'), 'listening');
  town = await Town.found(inject('postgresUrl'), { upstream: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}` });
  const { AUTH, API } = town.addresses;
  nginx = await startNginx({
    command: inject('nginxCommand'),
    http: (port) =>
      recipe
        .replaceAll('http://127.0.0.1:8081', AUTH)
        .replaceAll('http://127.0.0.1:8080', API)
        .replaceAll('listen 127.0.0.1:8000', `listen 127.0.0.1:${port}`),
  });
});
afterAll(async () => {
  await nginx.stop();
  await town[Symbol.asyncDispose]();
  upstream.close();
});

test('auth, the gateway, and a renewal on the way are reached through the proxy of the page', async () => {
  await town.advanceTo('dual');
  const sessionToken = await town.logIn('eve');
  const exchanged = await fetch(`${nginx.url}/auth/oauth/token`, {
    method: 'POST',
    body: new URLSearchParams({
      client_id: 'app',
      scope: 'offline_access',
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token_type: 'urn:wherry:token-type:session',
      subject_token: sessionToken,
    }),
  });
  const { access_token, refresh_token } = (await exchanged.json()) as Record<string, string>;
  const passed = await fetch(`${nginx.url}/orders`, { headers: { authorization: `Bearer ${access_token}` } });
  expect([passed.status, await passed.text()]).toEqual([200, expect.stringMatching(/^\d+$/)]);
  const expired = await town.expiredToken(sessionToken);
  const renewed = await fetch(`${nginx.url}/orders`, {
    headers: { authorization: `Bearer ${expired}`, cookie: `__Host-rt=${refresh_token}` },
  });
  expect(renewed.status).toBe(200);
  expect(renewed.headers.get('x-wherry-access-token')).toMatch(/^eyJ/);
  expect(renewed.headers.get('set-cookie')).toMatch(/^__Host-rt=rt_/);
});

test('the longest token there is reaches the gateway', async () => {
  const answer = await fetch(`${nginx.url}/orders`, { headers: { authorization: `Bearer a.a.${'a'.repeat(8180)}` } });
  expect([answer.status, answer.headers.get('x-wherry-reason')]).toEqual([401, 'token_malformed']);
});
