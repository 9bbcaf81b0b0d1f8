import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { SessionFacts } from '../facts.ts';
import { judgeRequest } from '../judge.ts';
import { applyEntry, type LedgerEntry } from '../ledger.ts';
import { Tally } from '../tally.ts';
import type { World } from '../world.ts';
import { startLegacy, type LegacyProcess } from './legacy-process.ts';
import { NO_FAULTS, openScene, type Scene } from './scene.ts';
import { startStandInGateway, type Passing, type Reply, type StandInGateway } from './stand-in-gateway.ts';

/** Runs the crowd against the real application on one kind of store; `env` names the store, `faults` adds a gateway that lies. */
export function describeCrowd(name: string, env: () => Readonly<Record<string, string>>, faults: boolean): void {
  describe(name, () => {
    let app: LegacyProcess;
    let gateway: StandInGateway;
    let folder: string;
    let nextUser = 0;
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'crowd-'));
      app = await startLegacy(env());
      gateway = await startStandInGateway(app.url);
    });
    afterAll(async () => {
      await gateway.close();
      await app.stop();
      await rm(folder, { recursive: true, force: true });
    });

    const stage = (seed: number, retryMs?: number): Promise<Scene> => {
      const from = nextUser;
      nextUser += 100;
      gateway.tamper = (_passing, reply) => reply;
      return openScene({ appUrl: app.url, gatewayUrl: gateway.url, folder, from, seed, ...(retryMs === undefined ? {} : { retryMs }) });
    };
    const endings = (world: World, by: string): number =>
      [...world.ledger.sessions()].filter((session) => session.ending?.by === by).length;
    const busy =
      ({ world }: Scene) =>
      (): boolean =>
        world.tally.totals.requests > 800 && endings(world, 'log-out') > 8 && endings(world, 'rotation') > 8;

    it('finds nothing wrong with an application that works, and its file tells the same again', async () => {
      await using scene = await stage(1);
      const report = await scene.play(busy(scene), async (ids) => new Set(ids));
      expect(report).toMatchObject({ ...NO_FAULTS, offences: [], probed: { asked: report.probed.live } });
      expect(report.carried).toBe(report.sessions.live);
      expect(report.carried).toBeGreaterThanOrEqual(60);
      expect(report.refused).toBeGreaterThan(0);
      expect(report.sessions.ended).toBeGreaterThan(15);

      await scene.world.ledger.close();
      const text = await readFile(scene.ledgerFile, 'utf8');
      expect(/"s:[\w-]{20}|connect\.sid|Bearer/.test(text)).toBe(false);
      const sessions = new Map<string, SessionFacts>();
      const again = new Tally();
      for (const line of text.trim().split('\n')) {
        const entry = JSON.parse(line) as LedgerEntry;
        applyEntry(sessions, entry);
        const session = entry.entry === 'request' ? sessions.get(entry.request.session) : undefined;
        if (entry.entry === 'request' && session !== undefined) again.add(judgeRequest(session, entry.request), session, entry.request);
      }
      expect(again.totals).toEqual(scene.world.tally.totals);
    });

    it('goes over to tokens, whose expiry is recovered by one exchange, and back to cookies', async () => {
      await using scene = await stage(2);
      const { world } = scene;
      gateway.tokenSeconds = 1;
      world.settings.mode = 'jwt';
      const report = await scene.play(() => busy(scene)() && world.tally.totals.recovered > 10);
      expect(report).toMatchObject({ ...NO_FAULTS, offences: [] });
      expect(report.renewals.exchanged).toBeGreaterThan(30);
      world.settings.mode = 'cookie';
      const before = world.tally.totals.requests;
      expect(await scene.play(() => world.tally.totals.requests > before + 200)).toMatchObject({
        ...NO_FAULTS,
        renewals: report.renewals,
      });
      gateway.tokenSeconds = 300;
    });

    it('leads only a share of the users to tokens', async () => {
      await using scene = await stage(3);
      Object.assign(scene.world.settings, { mode: 'jwt', percent: 40 });
      await scene.play(busy(scene));
      const users = new Set([...scene.world.ledger.sessions()].map((session) => session.userId));
      const led = new Set(
        [...scene.world.ledger.sessions()]
          .filter((session) => scene.world.wallet.token(session.id) !== undefined)
          .map((session) => session.userId),
      );
      expect(led.size).toBeGreaterThan(2);
      expect(led.size).toBeLessThan(users.size * 0.6);
    });

    it('repeats what nobody could answer, and is not upset', async () => {
      await using scene = await stage(4);
      scene.crowd.start();
      await vi.waitUntil(() => scene.meter.total > 100, { interval: 20 });
      gateway.failNext = 60;
      const report = await scene.play(() => gateway.failNext === 0 && busy(scene)());
      expect(report).toMatchObject(NO_FAULTS);
      expect(scene.meter.total).toBeGreaterThanOrEqual(report.requests + 60);
    });

    it('sees what express-session does by itself: a request that a log-out overtakes saves the ended session again', async () => {
      await using scene = await stage(10);
      scene.world.settings.overlap = true;
      const report = await scene.play(() => scene.world.tally.count('resurrected') > 0);
      expect(report).toMatchObject({ ...NO_FAULTS, resurrected: report.resurrected });
      expect(report.unjudged).toBeGreaterThan(0);
    });

    if (!faults) return;
    const isLook = (passing: Passing): boolean => passing.path === '/whoami' && passing.credential !== '';

    it('takes a log-out that nobody answers for no end', async () => {
      await using scene = await stage(11, 50);
      const { world } = scene;
      gateway.tamper = (passing, reply) => {
        if (passing.path === '/logout') throw new Error('the answer is lost on its way');
        return reply;
      };
      await scene.work(() => world.tally.count('unavailable') > 5);
      const ended = [...world.ledger.sessions()].filter(({ ending }) => ending?.by === 'log-out');
      expect(ended.length).toBeGreaterThan(5);
      expect(ended.filter(({ ending }) => ending?.acknowledgedAt !== undefined)).toEqual([]);
    });

    it('takes the refusal of a token that ran out while nobody answered for no end', async () => {
      await using scene = await stage(12);
      const { world } = scene;
      // Every token has run out by the clock of its client.
      gateway.tokenSeconds = 0;
      world.settings.mode = 'jwt';
      let refused = 0;
      const unanswered = new Set<string>();
      gateway.tamper = (passing, reply) => {
        const exchanged = passing.path === '/oauth/token' && reply.status !== 200;
        if (exchanged) return { status: 200, headers: {}, body: JSON.stringify({ access_token: `late ${refused}`, expires_in: 0 }) };
        if (passing.path !== '/v1/logout') return reply;
        // First no answer, then that the token has run out: as from a server that was away meanwhile.
        if (unanswered.delete(passing.credential)) {
          refused++;
          return { status: 401, headers: {}, body: '' };
        }
        unanswered.add(passing.credential);
        return { status: 503, headers: { 'retry-after': '0.02' }, body: '' };
      };
      await scene.work(() => refused > 10);
      await scene.crowd.rest();
      gateway.tokenSeconds = 300;
      const ended = [...world.ledger.sessions()].filter(({ ending }) => ending?.by === 'log-out');
      expect(ended.length).toBeGreaterThan(2);
      expect(ended.filter(({ ending }) => ending?.acknowledgedAt !== undefined)).toEqual([]);
    });

    it('sees a session that is dropped: signed out', async () => {
      await using scene = await stage(5);
      let dropped = '';
      gateway.tamper = (passing, reply) => {
        if (dropped === '' && isLook(passing) && reply.status === 200 && scene.meter.total > 100) dropped = passing.credential;
        return passing.credential === dropped && dropped !== '' ? { status: 401, headers: {}, body: '' } : reply;
      };
      const report = await scene.play(busy(scene));
      expect(report).toMatchObject({ ...NO_FAULTS, signedOut: 1 });
      expect(report.carried).toBe(report.sessions.live - 1);
      expect(report.offences).toMatchObject([{ fault: 'signed-out', status: 401 }]);
    });

    it.each<[string, (authorities: string[]) => string[]]>([
      ['lost', (authorities) => authorities.slice(1)],
      ['won', (authorities) => [...authorities, 'admin of everything']],
    ])('sees an authority that is %s: authorities changed', async (_, change) => {
      await using scene = await stage(6);
      let victim = '';
      gateway.tamper = (passing, reply) => {
        if (!isLook(passing) || reply.status !== 200) return reply;
        if (victim === '' && scene.meter.total > 100) victim = passing.credential;
        const body = JSON.parse(reply.body) as { authorities: string[] };
        return passing.credential === victim
          ? { ...reply, body: JSON.stringify({ ...body, authorities: change(body.authorities) }) }
          : reply;
      };
      expect(await scene.play(busy(scene))).toMatchObject({ ...NO_FAULTS, authoritiesChanged: 1 });
    });

    it('sees an answer for somebody else', async () => {
      await using scene = await stage(7);
      let other: Reply | undefined;
      let victim = '';
      gateway.tamper = (passing, reply) => {
        if (!isLook(passing) || reply.status !== 200) return reply;
        other ??= reply;
        if (victim === '' && reply.body !== other.body) victim = passing.credential;
        return passing.credential === victim ? other : reply;
      };
      expect(await scene.play(busy(scene))).toMatchObject({ ...NO_FAULTS, otherUser: 1 });
    });

    it.each(['cookie', 'jwt'] as const)('sees a log-out that is undone for a %s: resurrected', async (mode) => {
      await using scene = await stage(8);
      scene.world.settings.mode = mode;
      const before = new Map<string, Reply>();
      let revived = '';
      gateway.tamper = (passing, reply) => {
        if (isLook(passing) && reply.status === 200) before.set(passing.credential, reply);
        const out = passing.path === '/logout' || passing.path === '/v1/logout';
        if (revived === '' && out && before.has(passing.credential)) revived = passing.credential;
        return isLook(passing) && passing.credential === revived ? (before.get(revived) ?? reply) : reply;
      };
      const report = await scene.play(busy(scene));
      expect(report).toMatchObject({ ...NO_FAULTS, resurrected: 1 });
      expect(report.carried).toBe(report.sessions.live);
    });

    it('sees a session that the target lacks: lost', async () => {
      await using scene = await stage(9);
      let missing = '';
      const report = await scene.play(busy(scene), async (ids) => {
        if (missing === '') missing = ids[7] ?? '';
        return new Set(ids.filter((id) => id !== missing));
      });
      expect(report).toMatchObject({ ...NO_FAULTS, lost: 1 });
      expect(report.offences[0]?.session).toBe(missing.slice(0, 12));
    });
  });
}
