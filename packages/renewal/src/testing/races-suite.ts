import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { Renewal } from '../renewal.ts';
import { beginning, newSessionId, presenting, startFamilyCluster, type FamilyCluster, type FamilyInstance } from './cluster.ts';
import { openLossyWay, type LossyWay } from './lossy-way.ts';

/** What holds when several renew at once, and when replies are lost, on every dialect; `marks` are what messages of a statement have in them. Control is the PostgreSQL of the project; the shards are on `shardServerUrl`. */
export function racesSuite(shardServerUrl: () => string, marks: Readonly<Record<'begin' | 'rotate' | 'step', string>>): void {
  let cluster: FamilyCluster;
  let first: FamilyInstance;
  let second: FamilyInstance;
  beforeAll(async () => {
    cluster = await startFamilyCluster(inject('postgresUrl'), shardServerUrl());
    [first, second] = await Promise.all([cluster.instance(), cluster.instance()]);
  });
  afterAll(async () => {
    await Promise.all([first[Symbol.asyncDispose](), second[Symbol.asyncDispose]()]);
    await cluster[Symbol.asyncDispose]();
  });

  const T = 1_800_000_000_000;
  const successorOf = (renewal: Renewal | undefined): string =>
    renewal?.outcome === 'renewed' ? renewal.successor : String(renewal?.outcome);

  /** Renewals of one credential by both instances in turn, all under way at once. */
  async function atOnce(credential: string, count: number, now: (index: number) => number = () => T): Promise<Renewal[]> {
    return Promise.all(
      Array.from({ length: count }, async (_, i) =>
        (i % 2 === 0 ? first : second).families.renew({ credential, ...presenting({ now: now(i) }) }),
      ),
    );
  }

  describe('two instances', () => {
    test('100 renewals at once give one successor and one of them made it, generation after generation', async () => {
      let { credential } = await first.families.begin(beginning({ now: T }));
      for (let generation = 1; generation <= 5; generation++) {
        const renewals = await atOnce(credential, 100);
        const successors = new Set(renewals.map(successorOf));
        expect(successors.size).toBe(1);
        expect(renewals.filter((renewal) => renewal.outcome === 'renewed' && !renewal.repeated)).toHaveLength(1);
        [credential = ''] = successors;
        expect(credential).toMatch(/^rt_/);
        expect(renewals.every((renewal) => renewal.outcome === 'renewed' && renewal.family.renewals === generation)).toBe(true);
      }
    });

    test('whoever comes after the grace, of 100 at once, is given the one new successor', async () => {
      const { credential } = await first.families.begin(beginning({ now: T }));
      const [lost] = await atOnce(credential, 1);
      const renewals = await atOnce(credential, 100, () => T + 31_000);
      const successors = new Set(renewals.map(successorOf));
      expect(successors.size).toBe(1);
      expect(successors).not.toContain(successorOf(lost));
    });

    test('of 100 replays at once one ends the family, and all are told', async () => {
      const { credential } = await first.families.begin(beginning({ now: T }));
      const [one] = await atOnce(credential, 1);
      await atOnce(successorOf(one), 1);
      const renewals = await atOnce(credential, 100);
      expect(renewals.every(({ outcome }) => outcome === 'reused')).toBe(true);
      expect(renewals.filter((renewal) => renewal.outcome === 'reused' && renewal.first)).toHaveLength(1);
    });

    test('a credential and its predecessor at once: whatever the order, no two successors live', async () => {
      for (let round = 0; round < 20; round++) {
        const { credential } = await first.families.begin(beginning({ now: T }));
        const [one] = await atOnce(credential, 1);
        const current = successorOf(one);
        const renewals = await Promise.all([atOnce(current, 4), atOnce(credential, 4)].toReversed());
        const [olds = [], news = []] = renewals;
        // The old ones are repeated before the new one is used, and are reuse behind it.
        for (const renewal of olds) expect([current, 'reused']).toContain(successorOf(renewal));
        const made = new Set(news.map(successorOf).filter((text) => text.startsWith('rt_')));
        expect(made.size).toBeLessThanOrEqual(1);
        const reused = olds.some(({ outcome }) => outcome === 'reused');
        for (const text of made) expect((await atOnce(text, 1))[0]?.outcome).toBe(reused ? 'reused' : 'renewed');
      }
    });

    test('an end that was answered is met by every renewal after it, whatever is under way', async () => {
      for (let round = 0; round < 10; round++) {
        const { credential } = await first.families.begin(beginning({ now: T }));
        const before = atOnce(credential, 20);
        const ended = second.families.end(credential, { now: T });
        await ended;
        for (const renewal of await atOnce(credential, 20)) expect(renewal).toMatchObject({ outcome: 'ended', reason: 'revoked' });
        for (const renewal of await before) expect(['renewed', 'ended']).toContain(renewal.outcome);
      }
    });

    test('a session that ends while its families are begun and renewed leaves none alive that began before', async () => {
      const sessionId = newSessionId();
      const begun = await Promise.all(Array.from({ length: 8 }, async () => first.families.begin(beginning({ now: T, sessionId }))));
      const renewing = Promise.all(begun.map(async ({ credential }) => atOnce(credential, 4)));
      await second.families.endOfSession(sessionId);
      await renewing;
      for (const { credential } of begun) expect((await atOnce(credential, 1))[0]).toMatchObject({ outcome: 'ended' });
    });
  });

  describe('a lost reply', () => {
    let ways: LossyWay[];
    beforeAll(async () => {
      ways = await Promise.all(cluster.shardUrls.map(async (url) => openLossyWay(url)));
    });
    afterAll(async () => Promise.all(ways.map(async (way) => way[Symbol.asyncDispose]())));

    const shardUrls = (): string[] => ways.map(({ url }) => url);
    /** Loses on whichever shard it comes. */
    const lose = async (...what: Parameters<LossyWay['lose']>): Promise<void> => Promise.race(ways.map(async (way) => way.lose(...what)));
    /** Its first lost statement is an error to the caller. */
    const brittle = async (): Promise<FamilyInstance> =>
      cluster.instance({ at: { shardUrls: shardUrls() }, shard: { breaker: { threshold: 1, openMs: 3_600_000 } } });

    test.each([
      ['message', 'rotate'],
      ['answer', 'rotate'],
    ] as const)('%s of %s: the statement is sent again, and the caller sees one renewal', async (loss, mark) => {
      await using instance = await cluster.instance({ at: { shardUrls: shardUrls() } });
      const { credential } = await first.families.begin(beginning({ now: T }));
      const lost = lose(marks[mark], loss, 2);
      const renewal = await instance.families.renew({ credential, ...presenting({ now: T }) });
      await lost;
      expect(renewal).toMatchObject({ outcome: 'renewed', repeated: false, family: { renewals: 1 } });
      expect(successorOf((await atOnce(credential, 1))[0])).toBe(successorOf(renewal));
    });

    test('the answer to a reuse is lost: it is told as the first one', async () => {
      await using instance = await cluster.instance({ at: { shardUrls: shardUrls() } });
      const { credential } = await first.families.begin(beginning({ now: T }));
      await atOnce(successorOf((await atOnce(credential, 1))[0]), 1);
      const lost = lose(marks.step, 'answer', 2);
      expect(await instance.families.renew({ credential, ...presenting({ now: T }) })).toMatchObject({ outcome: 'reused', first: true });
      await lost;
    });

    test('a family whose beginning is sent again is one family', async () => {
      await using instance = await cluster.instance({ at: { shardUrls: shardUrls() } });
      const sessionId = newSessionId();
      const lost = lose(marks.begin, 'answer', 2);
      const { credential } = await instance.families.begin(beginning({ now: T, sessionId }));
      await lost;
      expect((await atOnce(credential, 1))[0]).toMatchObject({ outcome: 'renewed' });
      const counts = await Promise.all(
        cluster.shards.all.map(async ({ database }) => database.query('SELECT 1 FROM token_family WHERE session_id = $1', [sessionId])),
      );
      expect(counts.reduce((sum, { rowCount }) => sum + (rowCount ?? 0), 0)).toBe(1);
    });

    test('the process gives up before the statement: the credential is as good as before', async () => {
      await using instance = await brittle();
      const { credential } = await first.families.begin(beginning({ now: T }));
      const lost = lose(marks.rotate, 'message');
      await expect(instance.families.renew({ credential, ...presenting({ now: T }) })).rejects.toMatchObject({ code: 'shard_unavailable' });
      await lost;
      expect((await atOnce(credential, 1))[0]).toMatchObject({ outcome: 'renewed', repeated: false, family: { renewals: 1 } });
    });

    test('the process gives up after the statement: the same credential gets the successor that was made, and so it goes on', async () => {
      await using instance = await brittle();
      const { credential } = await first.families.begin(beginning({ now: T }));
      const lost = lose(marks.rotate, 'answer');
      await expect(instance.families.renew({ credential, ...presenting({ now: T }) })).rejects.toMatchObject({ code: 'shard_unavailable' });
      await lost;
      const [repeated] = await atOnce(credential, 1);
      expect(repeated).toMatchObject({ outcome: 'renewed', repeated: true, family: { renewals: 1 } });
      expect((await atOnce(successorOf(repeated), 1))[0]).toMatchObject({ outcome: 'renewed', repeated: false });
    });

    test('after the successor was used once: it is repeated likewise, and what lies before it is reuse', async () => {
      await using instance = await brittle();
      const { credential } = await first.families.begin(beginning({ now: T }));
      const successor = successorOf((await atOnce(credential, 1))[0]);
      const lost = lose(marks.rotate, 'answer');
      await expect(instance.families.renew({ credential: successor, ...presenting({ now: T }) })).rejects.toMatchObject({
        code: 'shard_unavailable',
      });
      await lost;
      expect((await atOnce(successor, 1))[0]).toMatchObject({ outcome: 'renewed', repeated: true });
      expect((await atOnce(credential, 1))[0]).toMatchObject({ outcome: 'reused', first: true });
    });

    test('the process is killed between statement and answer: the client repeats elsewhere and goes on', async () => {
      const { credential } = await first.families.begin(beginning({ now: T }));
      const held = lose(marks.rotate, 'held');
      const here = (file: string): string => JSON.stringify(new URL(file, import.meta.url).href);
      const script = `
      import { openDatabase } from ${JSON.stringify(import.meta.resolve('@wherry/core/control'))};
      import { ShardSet, SlotMap } from ${JSON.stringify(import.meta.resolve('@wherry/shards'))};
      import { TokenFamilies } from ${here('../token-families.ts')};
      const { controlUrl, shardUrls, credential } = JSON.parse(process.env.RENEWAL);
      const shards = new ShardSet({ statementMs: 600_000, deadlineMs: 600_000, shards: shardUrls.map((url, i) => ({ name: String(i), url })) });
      const map = new SlotMap({ control: openDatabase({ url: controlUrl }) });
      await map.refresh();
      await new TokenFamilies({ shards, map, windowMs: 600_000 }).renew({ credential, minimumGeneration: 0, now: ${T} });
      console.log('answered');`;
      const child = spawn(process.execPath, ['--conditions=source', '--input-type=module', '-e', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
        env: { ...process.env, RENEWAL: JSON.stringify({ controlUrl: cluster.controlUrl, shardUrls: shardUrls(), credential }) },
      });
      let said = '';
      child.stdout.on('data', (data: Buffer) => (said += data.toString()));
      const exit = once(child, 'exit');
      await Promise.race([held, exit]);
      child.kill('SIGKILL');
      await exit;
      expect(said).toBe('');
      const [repeated] = await atOnce(credential, 1);
      expect(repeated).toMatchObject({ outcome: 'renewed', repeated: true, family: { renewals: 1 } });
      expect((await atOnce(successorOf(repeated), 1))[0]).toMatchObject({ outcome: 'renewed', repeated: false });
    });
  });
}
