import { PATIENT_MS } from '@wherry/embedded/testing';
import {
  changeRolloutSettings,
  moveRollout,
  readClientUsage,
  readFigures,
  readObservedUse,
  readRollout,
  settleRollout,
  type RolloutCommand,
} from '@wherry/rollout';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import { Workbench, newSession, type RunningGateway } from '../testing/workbench.ts';

let bench: Workbench;
let gateway: RunningGateway;
beforeAll(async () => {
  bench = await Workbench.create(inject('postgresUrl'));
});
afterAll(async () => bench[Symbol.asyncDispose]());

const SUNSET = Date.UTC(2030, 0, 2, 3, 4, 5);
const actor = { actor: 'tester', reason: 'a test' };

beforeEach(async () => {
  await bench.control.query('TRUNCATE instance, client_usage, usage_reporter, rollout_sample');
  await bench.control.query(
    `UPDATE rollout SET version = version + 1, course = version + 1, phase = 'stateful', percent = NULL, settled = true, retreating = false, hold_out = 0, quiet_ms = 0`,
  );
  gateway = await bench.gateway({
    clients: { clients: ['web', 'shop'] },
    deprecation: { deprecatedAt: 1_700_000_000_000, sunsetAt: SUNSET, guideUrl: 'https://example.com/guide' },
  });
});
afterEach(() => gateway.end());

/** Moves the rollout and waits until the gateway acts on it. */
async function move(...commands: readonly RolloutCommand[]): Promise<void> {
  for (const command of commands) {
    const moved = await moveRollout(bench.control, command, { ...actor, expectedVersion: (await readRollout(bench.control)).version });
    await acting(moved.version);
    if (!moved.settled) await acting((await settleRollout(bench.control, { ...actor, expectedVersion: moved.version })).version);
  }
}

async function acting(version: number): Promise<void> {
  gateway.runtime.instance.poke();
  await vi.waitFor(() => expect(gateway.rollout.rollout.version).toBe(version), { timeout: PATIENT_MS, interval: 5 });
  // The database has to hear that it acts, or the next narrowing step waits in vain.
  const { seq } = gateway.rollout.rollout;
  await gateway.runtime.instance.acknowledged('rollout', seq, PATIENT_MS);
}

const ADVANCE = { command: 'advance' } as const;
const TO_LED = [ADVANCE, { command: 'advance', percent: 100 }] as const;
const TO_DRAIN = [...TO_LED, ADVANCE, ADVANCE] as const;

function check(token: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  return fetch(`${gateway.url}/auth`, { headers: { authorization: `Bearer ${token}`, ...headers } });
}

describe('a session token', () => {
  it('is accepted without a word until its user is led, and then told to be deprecated', async () => {
    const { token } = await newSession(gateway);
    await move(ADVANCE);
    const before = await check(token);
    expect([before.status, before.headers.get('deprecation')]).toEqual([200, null]);
    await move({ command: 'advance', percent: 100 });
    const after = await check(token);
    expect(after.status).toBe(200);
    expect(after.headers.get('deprecation')).toBe('@1700000000');
    expect(after.headers.get('sunset')).toBe('Wed, 02 Jan 2030 03:04:05 GMT');
    expect(after.headers.get('link')).toBe('<https://example.com/guide>; rel="deprecation"; type="text/html"');
    expect(after.headers.get('x-wherry-user-id')).toBe('42');
    const byToken = await check(gateway.issue());
    expect([byToken.status, byToken.headers.get('deprecation')]).toEqual([200, null]);
  });

  it('is refused in drain where its client has shown that it can do without, and only there', async () => {
    const { token, record } = await newSession(gateway);
    const sessionId = record.key.id;
    const grant = { clientId: 'shop', sessionId };
    await gateway.families.begin({ sessionId, userId: '42', clientId: 'shop', generation: 0, idleMs: 3_600_000, absoluteExpiry: null });
    await move(...TO_DRAIN);
    // It has been given something, and nobody knows whether it has kept that.
    expect((await check(token, { 'x-client-id': 'shop' })).status).toBe(200);
    expect((await check(gateway.issue(grant))).status).toBe(200);
    await vi.waitFor(
      async () => {
        const refused = await check(token, { 'x-client-id': 'shop' });
        expect([refused.status, refused.headers.get('x-wherry-reason')]).toEqual([401, 'session_token_superseded']);
      },
      { timeout: PATIENT_MS, interval: 250 },
    );
    // Another client of the same session has shown nothing.
    const other = await check(token, { 'x-client-id': 'web' });
    expect([other.status, other.headers.has('deprecation')]).toEqual([200, true]);
    const { token: stranger } = await newSession(gateway);
    expect((await check(stranger, { 'x-client-id': 'shop' })).status).toBe(200);
  });

  it('keeps its client where that has used it within the time of quiet', async () => {
    await changeRolloutSettings(bench.control, { quietMs: 3_600_000 }, actor);
    const { token, record } = await newSession(gateway);
    const sessionId = record.key.id;
    await gateway.families.begin({ sessionId, userId: '42', clientId: 'shop', generation: 0, idleMs: 3_600_000, absoluteExpiry: null });
    await gateway.families.noteProof(sessionId, 'shop', Date.now() - 7_200_000);
    await move(...TO_LED, ADVANCE);
    expect((await check(token, { 'x-client-id': 'shop' })).status).toBe(200);
    await vi.waitFor(async () => expect((await gateway.families.evidenceOf(sessionId))[0]?.sessionTokenUsedAt).not.toBeNull(), {
      timeout: PATIENT_MS,
    });
    await move(ADVANCE);
    expect((await check(token, { 'x-client-id': 'shop' })).status).toBe(200);
  });

  it('is refused everywhere once it is retired, and an access token goes on', async () => {
    const { token, record } = await newSession(gateway);
    await bench.control.query(`UPDATE rollout SET version = version + 1, course = version + 1, phase = 'retired', seq = seq + 1000`);
    await bench.control.query(`UPDATE feed_topic SET seq = (SELECT seq FROM rollout) WHERE topic = 'rollout'`);
    gateway.runtime.instance.poke();
    await vi.waitFor(() => expect(gateway.rollout.rollout.phase).toBe('retired'), { timeout: PATIENT_MS });
    const refused = await check(token);
    expect([refused.status, refused.headers.get('x-wherry-reason')]).toEqual([401, 'credential_kind_refused']);
    expect((await check(gateway.issue({ sessionId: record.key.id }))).status).toBe(200);
  });
});

describe('what a gateway sees', () => {
  it('is told by client, version and credential, refused uses of sessions included', async () => {
    const { token } = await newSession(gateway, { attributes: JSON.stringify({ clientId: 'shop' }) });
    await check(token, { 'x-client-version': '4.2' });
    await check(token, { 'x-client-version': '4.2' });
    await check(gateway.issue({ clientId: 'shop' }));
    await gateway.end();
    const found = (await readClientUsage(bench.control)).map(({ clientId, version, kind, requests }) => [
      clientId,
      version,
      kind,
      requests,
    ]);
    expect(found).toEqual([
      ['shop', '4.2', 'session_token', 2],
      ['shop', '', 'jwt', 1],
    ]);
  });

  it('is observed from its start to its end', async () => {
    const { now, observedSince, silent } = await readObservedUse(bench.control);
    expect(silent).toEqual([]);
    // A process reckons the database's clock, and may be some milliseconds off.
    expect(Math.abs((observedSince ?? 0) - now)).toBeLessThan(PATIENT_MS);
  });

  it('is counted for the arm of the user, whom a refused token names', async () => {
    await move(...TO_LED);
    const { course } = gateway.rollout.rollout;
    const good = gateway.issue();
    for (let n = 0; n < 3; n++) await check(good);
    const mutilated = `${good.slice(0, -6)}AAAAAA`;
    for (let n = 0; n < 20; n++) await check(mutilated);
    await check('eyJ.eyJ.x');
    await gateway.end();
    const { cohort, outside, control } = await readFigures(bench.control, course, 0);
    // One user's refusals count a few times only.
    expect([cohort.ok, cohort.unauthorized]).toEqual([3, 5]);
    expect([outside.unauthorized, control.unauthorized]).toEqual([0, 0]);
  });
});
