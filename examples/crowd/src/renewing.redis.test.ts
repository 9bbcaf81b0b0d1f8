import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { fetchAll, replayRenewals, sendOldCookies } from './campaigns.ts';
import { reportOf } from './report.ts';
import { startLegacy, type LegacyProcess } from './testing/legacy-process.ts';
import { NO_FAULTS, openScene, type Scene } from './testing/scene.ts';
import { startStandInGateway, type StandInGateway } from './testing/stand-in-gateway.ts';

let app: LegacyProcess;
let gateway: StandInGateway;
let folder: string;
let nextUser = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'crowd-renewing-'));
  app = await startLegacy({ LEGACY_SOURCE: inject('redisUrl'), LEGACY_KEY_PREFIX: `${randomUUID()}:` });
});
afterAll(async () => {
  await app.stop();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  gateway = await startStandInGateway(app.url);
  gateway.tokenSeconds = 1;
  return () => gateway.close();
});

const stage = async (seed: number): Promise<Scene> => {
  const from = nextUser;
  nextUser += 100;
  const scene = await openScene({ appUrl: app.url, gatewayUrl: gateway.url, folder, from, seed });
  scene.world.settings.mode = 'renewing';
  return scene;
};
const isRenewal = (body: string): boolean => body.includes('grant_type=refresh_token');

describe('clients that renew', () => {
  it('renew in both ways, repeat what got no answer, and find nothing wrong', async () => {
    await using scene = await stage(1);
    const { world } = scene;
    world.settings.dropped = 0.2;
    const { renewals } = world;
    const report = await scene.play(() => renewals.renewed > 20 && renewals.silent > 10 && renewals.dropped > 5);
    expect(report).toMatchObject({ ...NO_FAULTS, offences: [] });
    expect(report.renewals.refused).toBe(0);
    expect(report.carried).toBe(report.sessions.live);
  });

  it('fall back to one exchange where a renewal is refused, and that is nothing wrong', async () => {
    await using scene = await stage(2);
    const { renewals } = scene.world;
    let refusals = 0;
    gateway.tamper = (passing, reply) =>
      isRenewal(passing.body) && reply.status === 200 && refusals++ < 5
        ? { status: 400, headers: {}, body: '{"error":"invalid_grant","code":"renewal_ended"}' }
        : reply;
    const report = await scene.play(() => renewals.recovered >= 5);
    expect(report).toMatchObject(NO_FAULTS);
    expect(report.renewals).toMatchObject({ refused: renewals.recovered });
  });

  it('sees a renewal that is refused for good on a live session: signed out', async () => {
    await using scene = await stage(3);
    let victim = '';
    gateway.tamper = (passing, reply) => {
      const form = new URLSearchParams(passing.body);
      if (victim === '' && isRenewal(passing.body)) victim = form.get('refresh_token') ?? '';
      const gone = { status: 400, headers: {}, body: '{"error":"invalid_grant"}' };
      if (victim === '' || form.get('refresh_token') === victim) return victim === '' ? reply : gone;
      // The exchange that comes next is the victim's fall back.
      if (victim !== 'gone' && passing.path === '/oauth/token' && !isRenewal(passing.body)) {
        victim = 'gone';
        return gone;
      }
      return reply;
    };
    await fetchAll(scene.world, 8, () => undefined);
    const report = await scene.play(() => scene.world.tally.count('signed-out') > 0);
    expect(report).toMatchObject({ ...NO_FAULTS, signedOut: 1 });
  });

  it('sees authorities that a renewal has changed', async () => {
    await using scene = await stage(4);
    const renewed = new Set<string>();
    gateway.tamper = (passing, reply) => {
      if (isRenewal(passing.body) && reply.status === 200)
        renewed.add(`Bearer ${(JSON.parse(reply.body) as { access_token: string }).access_token}`);
      if (!renewed.has(passing.credential) || passing.path !== '/whoami' || reply.status !== 200) return reply;
      const body = JSON.parse(reply.body) as { authorities: string[] };
      return { ...reply, body: JSON.stringify({ ...body, authorities: [...body.authorities, 'admin of everything'] }) };
    };
    await scene.work(() => scene.world.tally.count('authorities-changed') > 0);
    await scene.crowd.rest();
    const report = reportOf(scene.world, undefined);
    expect(report).toMatchObject({ ...NO_FAULTS, authoritiesChanged: report.authoritiesChanged });
  });

  it.each([false, true])('tells whether a superseded credential is refused; careless: %s', async (careless) => {
    await using scene = await stage(careless ? 5 : 6);
    const { world } = scene;
    await fetchAll(world, 8, () => undefined);
    gateway.renewals.careless = careless;
    expect(await replayRenewals(world, 3)).toBe(3);
    // The families are over; the sessions are not.
    expect(world.renewals).toMatchObject(careless ? { refused: 0 } : { refused: 3, recovered: 3 });
    expect(reportOf(world, undefined)).toMatchObject({ ...NO_FAULTS, staleRenewals: careless ? 3 : 0 });
  });
});

describe('clients that are told to go over', () => {
  it('go over then, and not before; those of the broken release are refused and have their cookies', async () => {
    await using scene = await stage(7);
    const { world } = scene;
    Object.assign(world.settings, { toldOnly: true, brokenPercent: 50 });
    await scene.work(() => world.tally.totals.requests > 200);
    expect(world.renewals.exchanged).toBe(0);
    gateway.leads = true;
    const before = world.tally.totals.refused;
    const report = await scene.play(() => world.renewals.renewed > 10 && world.tally.totals.refused > before + 100);
    expect(report).toMatchObject(NO_FAULTS);
    expect(report.told).toBeGreaterThan(20);
  });

  it('see a mutilated token that is taken: forged', async () => {
    await using scene = await stage(8);
    Object.assign(scene.world.settings, { toldOnly: true, brokenPercent: 100 });
    gateway.leads = true;
    gateway.tamper = (passing, reply) =>
      /^Bearer [AB]/.test(passing.credential) ? { status: 200, headers: {}, body: '{"userId":"1","authorities":[]}' } : reply;
    await scene.work(() => scene.world.tally.count('forged') > 3);
    await scene.crowd.rest();
    const report = reportOf(scene.world, undefined);
    expect(report.forged).toBeGreaterThan(3);
    expect(report).toMatchObject({ ...NO_FAULTS, forged: report.forged });
  });
});

describe('the end of cookies', () => {
  it('leaves nobody behind when all have fetched their tokens', async () => {
    await using scene = await stage(9);
    const { world } = scene;
    const steps: number[] = [];
    expect(await fetchAll(world, 8, (done, total) => steps.push(done / total))).toBe(0);
    expect(steps.at(-1)).toBe(1);
    Object.assign(world.settings, { stateless: true, retired: true });
    gateway.retired = true;
    const probed = await scene.crowd.probeAll({});
    expect(probed).toMatchObject({ live: 60, carried: 60 });
    expect(await sendOldCookies(world, 25)).toBe(25);
    const report = reportOf(world, probed);
    expect(report).toMatchObject({ ...NO_FAULTS, refused: 25 });
  });

  it('sees cookies that are taken all the same, by whom: stateful', async () => {
    await using scene = await stage(10);
    const { world } = scene;
    await fetchAll(world, 8, () => undefined);
    Object.assign(world.settings, { stateless: true, retired: true });
    expect(await sendOldCookies(world, 25)).toBe(25);
    const report = reportOf(world, undefined);
    expect(report).toMatchObject({ ...NO_FAULTS, stateful: 25 });
    expect(report.offences[0]).toMatchObject({ fault: 'stateful', act: 'old-cookie', kind: 'cookie' });
  });

  it('sees who has nothing left that is taken: signed out', async () => {
    await using scene = await stage(11);
    const { world } = scene;
    await fetchAll(world, 8, () => undefined);
    Object.assign(world.settings, { stateless: true, retired: true });
    const [first] = [...world.ledger.sessions()];
    const held = world.wallet.renewal(first?.id ?? '');
    gateway.renewals.end(`connect.sid=${encodeURIComponent(world.wallet.cookie(first?.id ?? '') ?? '')}`);
    expect(held).toBeDefined();
    world.wallet.keepToken(first?.id ?? '', undefined);
    const probed = await scene.crowd.probeAll({});
    expect(probed).toMatchObject({ live: 60, carried: 59 });
    expect(reportOf(world, probed)).toMatchObject({ ...NO_FAULTS, signedOut: 1 });
  });
});
