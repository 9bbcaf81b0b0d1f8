import { randomBytes } from 'node:crypto';
import { Lifecycle, silentLogger } from '@wherry/core';
import { PATIENT_MS, createTestDatabase, type TestDatabase } from '@wherry/embedded/testing';
import { expect, inject, onTestFinished, test, vi } from 'vitest';
import { loadConfig } from '../config/index.ts';
import { addAuthRole } from '../roles/auth.ts';
import { prepareDatabases } from '../roles/foundation.ts';
import { addGatewayRole } from '../roles/gateway.ts';
import { run } from '../testing/recording-terminal.ts';

const until = (check: () => unknown): Promise<unknown> => vi.waitFor(check, { interval: 20, timeout: PATIENT_MS });

test('a stolen key is refused everywhere at once by one command, and who has a session or a renewal credential goes on with it', async () => {
  const databases: TestDatabase[] = [];
  onTestFinished(async () => {
    for (const database of databases) await database.drop();
  });
  for (let n = 0; n < 2; n++) databases.push(await createTestDatabase(inject('postgresUrl')));
  const [controlUrl = '', shardUrl = ''] = databases.map(({ url }) => url);
  const environment = {
    WHERRY_CONTROL_URL: controlUrl,
    WHERRY_SHARDS_URLS: shardUrl,
    WHERRY_MASTER_KEY: randomBytes(32).toString('base64'),
    WHERRY_AUTH_PORT: '0',
    WHERRY_GATEWAY_PORT: '0',
    USER: 'ada',
  };
  const { config } = loadConfig({ environment });
  await prepareDatabases(config);
  const command = async (line: string): Promise<string> => {
    const { code, out, err } = await run(line, environment);
    expect({ line, code, err }).toEqual({ line, code: 0, err: '' });
    return out;
  };
  await command('rollout advance --reason trial');

  const lifecycle = new Lifecycle();
  onTestFinished(() => lifecycle.end());
  const issuers = [await addAuthRole(lifecycle, config, silentLogger), await addAuthRole(lifecycle, config, silentLogger)];
  const gateway = await addGatewayRole(lifecycle, config, silentLogger);
  await lifecycle.run();
  const urls = issuers.map(({ port }) => `http://127.0.0.1:${port}`);
  const [one = '', other = ''] = urls;

  const json = (body: unknown): RequestInit => ({
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const someone = { username: 'eve', password: 'correct horse battery staple' };
  expect((await fetch(`${one}/v1/users`, json(someone))).status).toBe(201);
  const login = (await (await fetch(`${one}/v1/login`, json({ ...someone, renewable: true }))).json()) as {
    sessionToken: string;
    accessToken: string;
    renewalCredential: string;
  };
  /** What the gateway and both issuers say of a bearer. */
  const judged = async (bearer: string): Promise<number[]> => {
    const at = [`http://127.0.0.1:${gateway.port}/auth`, ...urls.map((url) => `${url}/v1/whoami`)];
    return Promise.all(at.map(async (url) => (await fetch(url, { headers: { authorization: `Bearer ${bearer}` } })).status));
  };
  await until(async () => expect(await judged(login.accessToken)).toEqual([200, 200, 200]));

  const kid = (await command('keys list')).split(' ')[0] ?? '';
  expect(await command(`keys remove ${kid} --force --reason stolen`)).toBe(`${kid}  gone\nevery live instance acts on it`);
  // Said of every instance, so no request after it finds one that believes.
  const after = await judged(login.accessToken);
  expect(after.every((status) => status === 401 || status === 503)).toBe(true);
  expect(await judged(login.sessionToken)).toEqual([200, 200, 200]);

  for (const url of [one, other]) {
    await until(async () => {
      const form = new URLSearchParams({
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        subject_token_type: 'urn:wherry:token-type:session',
        subject_token: login.sessionToken,
      });
      const answer = await fetch(`${url}/oauth/token`, { method: 'POST', body: form });
      expect(answer.status).toBe(200);
      const { access_token: anew } = (await answer.json()) as { access_token: string };
      expect(await judged(anew)).toEqual([200, 200, 200]);
    });
  }
  // Who has a renewal credential goes on by that, at whichever instance.
  let credential = login.renewalCredential;
  for (const url of [other, one]) {
    const form = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: credential });
    const renewed = await fetch(`${url}/oauth/token`, { method: 'POST', body: form });
    expect(renewed.status).toBe(200);
    const { access_token: anew, refresh_token: next } = (await renewed.json()) as { access_token: string; refresh_token: string };
    expect(await judged(anew)).toEqual([200, 200, 200]);
    credential = next;
  }
  await until(async () => expect(await judged(login.accessToken)).toEqual([401, 401, 401]));
  expect(await command('keys list')).not.toContain(kid);
});
