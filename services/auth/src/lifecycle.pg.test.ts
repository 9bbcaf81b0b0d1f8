import type { Logger } from '@wherry/core';
import { createMetrics } from '@wherry/core/metrics';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { advance } from '@wherry/rollout';
import { slotOf } from '@wherry/shards';
import { KEY_TOPIC } from '@wherry/tokens';
import { once } from 'node:events';
import { Agent, request, type IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { createAuthService } from './service.ts';
import type { Cluster } from '@wherry/shards/testing';
import { startAuthCluster } from './testing/cluster.ts';
import { PASSWORD, expectProblem, logIn, register } from './testing/people.ts';
import { COMMON, startService, type Running } from './testing/service.ts';

let cluster: Cluster;
let auth: Running;
const lines: string[] = [];
const write = (...line: unknown[]): void => void lines.push(JSON.stringify(line));
const recorder: Logger = { debug: write, info: write, warn: write, error: write, child: () => recorder };
beforeAll(async () => {
  cluster = await startAuthCluster(inject('postgresUrl'));
  await advance(cluster.control, { expectedVersion: 1, actor: 'test' });
  auth = await startService(cluster, { metrics: createMetrics() }, recorder);
});
afterAll(async () => {
  await auth[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
});

describe('the service', () => {
  it('is alive and ready, says so, and tells its numbers', async () => {
    expect((await auth.send('GET', '/livez')).body).toEqual({ status: 'alive' });
    expect((await auth.send('GET', '/readyz')).body).toEqual({ status: 'ready' });
    const { username } = await logIn(auth);
    expectProblem(await auth.send('POST', '/v1/login', { body: { username, password: 'x' } }), 401, 'login_failed');
    const page = (await auth.send('GET', '/metrics')).text;
    expect(page).toMatch(/wherry_auth_request_seconds_count\{route="\/v1\/login",status="200"\} \d+/);
    expect(page).toMatch(/wherry_auth_refused_total\{route="\/v1\/login",code="login_failed"\} \d+/);
    expect(page).toMatch(/wherry_auth_passwords_total \d+/);
    expectProblem(await auth.send('GET', '/v1/nowhere'), 404, 'not_found');
  });

  it('is not ready while no key signs, and then leaves no half of a log-in behind', async () => {
    await using apart = await startAuthCluster(inject('postgresUrl'));
    const { control } = apart;
    // Not the first key ever, and a verifier that is alive has not heard of it: it may not sign.
    await control.query(`INSERT INTO signing_key (kid, alg, state, public_jwk, longest_life_s, signs_after, seq)
      VALUES ('old', 'ES256', 'gone', '{}', 1, 0, 0)`);
    await control.query(`INSERT INTO instance (id, role, started_at, lease_until, acked)
      VALUES ('slow', 'gateway', 0, wherry_now() + 600000, '{"${KEY_TOPIC}": 0}')`);
    await advance(control, { expectedVersion: 1, actor: 'test' });
    await using waiting = await startService(apart, { keyReadyMs: 1 });
    expect([(await waiting.send('GET', '/livez')).status, (await waiting.send('GET', '/readyz')).body]).toEqual([
      200,
      { status: 'not ready', reason: 'no key signs' },
    ]);
    const body = { username: 'early', password: PASSWORD };
    expect((await waiting.send('POST', '/v1/users', { body })).status).toBe(201);
    expectProblem(await waiting.send('POST', '/v1/login', { body }), 503, 'signing_key_unavailable');
    for (const { database } of apart.shards.all) expect((await database.query('SELECT FROM user_session')).rows).toEqual([]);
    await control.query(`UPDATE instance SET state = 'left' WHERE id = 'slow'`);
    await vi.waitFor(async () => expect((await waiting.send('GET', '/readyz')).status).toBe(200));
    expect((await waiting.send('POST', '/v1/login', { body })).status).toBe(200);
  });

  it('answers each request with its id, and takes one that is given', async () => {
    const given = 'request-id.0123';
    expect((await auth.send('GET', '/livez', { headers: { 'x-request-id': given } })).headers.get('x-request-id')).toBe(given);
    expect((await auth.send('GET', '/livez', { headers: { 'x-request-id': 'bad id\t"' } })).headers.get('x-request-id')).toMatch(
      /^[\da-f-]{36}$/,
    );
  });

  it('puts nothing secret into its log', async () => {
    const login = await logIn(auth);
    await auth.send('POST', '/v1/login', { body: { username: login.username, password: 'hunter2 hunter2' } });
    await auth.send('POST', '/v1/logout', { bearer: login.sessionToken });
    await vi.waitFor(() => expect(lines.some((line) => line.includes('/v1/logout'))).toBe(true));
    const log = lines.join('\n');
    expect(log).toContain('"route":"/v1/login"');
    for (const secret of [login.sessionToken, login.accessToken, 'hunter2', PASSWORD, COMMON.operatorSecret, login.username])
      expect(log).not.toContain(secret);
  });

  it('finishes what is under way when it is drained, and turns away what comes then', async () => {
    // Slow enough to be under way for certain: what a log-in costs is decided at the registration.
    const ending = await startService(cluster, { passwords: { memoryKib: 32_768, passes: 12, concurrency: 1 } });
    const { username } = await register(ending);
    const computed = ending.service.passwordsComputed;
    const agent = new Agent({ keepAlive: true, maxSockets: 2 });
    const post = async (path: string, body: object): Promise<number> => {
      const call = request(`${ending.url}${path}`, { agent, method: 'POST', headers: { 'content-type': 'application/json' } });
      call.end(JSON.stringify(body));
      const [response] = (await once(call, 'response')) as [IncomingMessage];
      response.resume();
      await once(response, 'end');
      return response.statusCode ?? 0;
    };
    const slow = post('/v1/login', { username, password: PASSWORD });
    await vi.waitFor(() => expect(ending.service.passwordsComputed).toBe(computed + 1), { interval: 5 });
    const drained = ending.service.drain?.(AbortSignal.timeout(PATIENT_MS));
    expect(await slow).toBe(200);
    await drained;
    agent.destroy();
    await expect(fetch(`${ending.url}/livez`, { signal: AbortSignal.timeout(PATIENT_MS) })).rejects.toThrow('fetch failed');
    await ending[Symbol.asyncDispose]();
    const { rows } = await cluster.control.query(
      `SELECT state = 'left' OR lease_until <= wherry_now() AS over FROM instance WHERE id = $1`,
      [ending.service.runtime.instance.id],
    );
    expect(rows).toEqual([{ over: true }]);
  });

  it('looks after what was left undone, and forgets what no token can bring back', async () => {
    const [first] = cluster.shards.all;
    await first?.database.query(
      `INSERT INTO app_user SELECT slot, 4711, 'left', '', '[]', 'pending', 1, 0, 0 FROM slot_owner WHERE slot = $1`,
      [slotOf(4711n)],
    );
    const { rowCount } = (await first?.database.query('SELECT FROM app_user WHERE id = 4711')) ?? { rowCount: -1 };
    expect(rowCount).toBe(1);
    await cluster.control.query(`INSERT INTO revocation (kind, key, value, reason, drained, expire_time, seq)
      VALUES ('session', 'over', 0, 'logout', true, 1, 0), ('session', 'undrained', 0, 'logout', false, 1, 0)`);
    await using _busy = await startService(cluster, { upkeepMs: 50 });
    await vi.waitFor(async () => {
      expect((await first?.database.query('SELECT FROM app_user WHERE id = 4711'))?.rowCount).toBe(0);
      const { rows } = await cluster.control.query(`SELECT key FROM revocation WHERE key IN ('over', 'undrained')`);
      expect(rows).toEqual([{ key: 'undrained' }]);
    });
  });

  it('ends without having run', async () => {
    const { control, shards } = cluster.connect();
    const service = createAuthService({ ...COMMON, control, shards });
    expect(service.port).toBe(0);
    await service.drain?.(AbortSignal.timeout(1000));
    await service.stop?.();
    await shards.stop();
    await control.end();
  });

  it('refuses URLs that cannot be read as it refuses all else', async () => {
    expectProblem(await auth.send('GET', '/v1/%zz'), 400, 'bad_request');
    expectProblem(await auth.send('POST', `/v1/admin/users/${'x'.repeat(257)}/revoke`, { body: { reason: 'x' } }), 400, 'bad_request');
    expectProblem(await auth.send('POST', '/v1/admin/users/a%00b/revoke', { body: { reason: 'x' } }), 400, 'bad_request');
  });

  it('refuses lives that contradict each other', async () => {
    await expect(startService(cluster, { accessTokenSeconds: 600, absoluteSeconds: 1000 })).rejects.toThrow(/absolute life/);
  });
});
