import { describe, expect, test } from 'vitest';
import type { SourcePartition, SourceSession, SourceStore } from '../source/contract.ts';
import { HOUR, newRawId, present, sessionValue, useFixture, type MakeSource } from './source-fixture.ts';

const SESSIONS = 400;

/** One page, and the place in the scan from which it was read. */
interface Page {
  readonly partition: SourcePartition;
  readonly cursor: string | null;
  readonly sessions: readonly SourceSession[];
}

/** Scans see everything that stays, resume anywhere, and can be left at any time. */
export function describeScans(make: MakeSource): void {
  describe('scans', () => {
    const fixture = useFixture(make);
    const stable = Array.from({ length: SESSIONS }, newRawId);
    const gone = newRawId();
    const seeded = seedOnce(async () => {
      const { source } = fixture;
      await writeAll(source, stable);
      await source.save(gone, sessionValue(), HOUR, 0);
      await source.end(gone, HOUR, 0);
      await source.save(newRawId(), sessionValue(), 0, 0);
    });

    test.each([1000, 37, 1])('all sessions, in pages of about %i, as get reads them', async (limit) => {
      await seeded();
      const { source } = fixture;
      // Single steps are slow on the stores that obey the limit to the letter; some of them prove it.
      const pages = await scanAll(source, limit, limit === 1 ? 25 : Infinity);
      const found = new Map(pages.flatMap(({ sessions }) => sessions.map((session) => [session.rawId, session] as const)));
      if (limit > 1) expect([...found.keys()].toSorted()).toEqual(stable.toSorted());
      const read = await source.get([...found.keys()]);
      for (const session of read) expect(session).toEqual({ ...found.get(session?.rawId ?? ''), readAt: session?.readAt });
    });

    test('neither tombstones nor expired sessions', async () => {
      await seeded();
      const ids = (await scanAll(fixture.source, 100)).flatMap(({ sessions }) => sessions.map(({ rawId }) => rawId));
      expect(ids).not.toContain(gone);
      expect(ids.filter((id) => !stable.includes(id))).toEqual([]);
    });

    test('it goes on from any cursor', async () => {
      await seeded();
      const { source } = fixture;
      const pages = await scanAll(source, 60);
      for (const [index, { partition, cursor }] of pages.entries()) {
        if (index % 3 !== 0) continue;
        const before = pages.filter((page, i) => page.partition !== partition || i < index);
        const after = await scanPartition(source, partition, cursor, 60);
        const seen = new Set([...before, ...after].flatMap(({ sessions }) => sessions.map(({ rawId }) => rawId)));
        expect([...seen].toSorted()).toEqual(stable.toSorted());
      }
    });

    test('everything that stays is seen while others come, change and go', async () => {
      const own = await make();
      try {
        const { source } = own;
        const kept = Array.from({ length: SESSIONS }, newRawId);
        await writeAll(source, kept);
        const scanned = new AbortController();
        const churn = (async () => {
          while (!scanned.signal.aborted) {
            const others = Array.from({ length: 40 }, newRawId);
            await writeAll(source, others);
            await Promise.all(kept.slice(0, 10).map((rawId) => source.save(rawId, sessionValue('changed'), HOUR, 0)));
            await Promise.all(others.map((rawId) => source.end(rawId, HOUR, 0)));
          }
        })();
        const seen = new Set((await scanAll(source, 20)).flatMap(({ sessions }) => sessions.map(({ rawId }) => rawId)));
        scanned.abort();
        await churn;
        expect(kept.filter((rawId) => !seen.has(rawId))).toEqual([]);
      } finally {
        await own.dispose();
      }
    });

    test('partitions stay what they are', async () => {
      const [first, second] = await Promise.all([fixture.source.partitions(), fixture.source.partitions()]);
      expect(first).toEqual(second);
      expect(new Set(first.map(({ id }) => id)).size).toBe(first.length);
    });

    test('a cursor of another incarnation and a cursor of no meaning are told', async () => {
      const [partition] = await fixture.source.partitions();
      const elsewhere = { ...present(partition), incarnation: `${present(partition).incarnation}x` };
      await expect(fixture.source.scan(elsewhere, null, 10)).rejects.toMatchObject({ code: 'source_cursor_lost' });
      for (const cursor of ['', '-', '{"a":1}', 'null']) {
        await expect(fixture.source.scan(present(partition), cursor, 10)).rejects.toMatchObject({ code: 'source_cursor_lost' });
      }
    });

    test('an aborted scan throws the reason', async () => {
      const [partition] = await fixture.source.partitions();
      const reason = new Error('enough');
      await expect(fixture.source.scan(present(partition), null, 10, AbortSignal.abort(reason))).rejects.toBe(reason);
    });

    test('few sessions are counted exactly', async () => {
      const own = await make();
      try {
        expect(await own.source.count()).toBe(0);
        await writeAll(own.source, Array.from({ length: 120 }, newRawId));
        expect(await own.source.count()).toBe(120);
      } finally {
        await own.dispose();
      }
    });
  });
}

async function writeAll(source: SourceStore, rawIds: readonly string[]): Promise<void> {
  await Promise.all(rawIds.map((rawId) => source.save(rawId, sessionValue(rawId), HOUR, 0)));
}

async function scanAll(source: SourceStore, limit: number, maxPages = Infinity): Promise<Page[]> {
  const pages: Page[] = [];
  for (const partition of await source.partitions()) pages.push(...(await scanPartition(source, partition, null, limit, maxPages)));
  return pages;
}

async function scanPartition(
  source: SourceStore,
  partition: SourcePartition,
  from: string | null,
  limit: number,
  maxPages = Infinity,
): Promise<Page[]> {
  const pages: Page[] = [];
  for (let cursor = from; pages.length < maxPages;) {
    const { sessions, next } = await source.scan(partition, cursor, limit);
    pages.push({ partition, cursor, sessions });
    if (next === null) return pages;
    cursor = next;
  }
  return pages;
}

/** Runs `seed` before the first test that asks, whichever that is. */
function seedOnce(seed: () => Promise<void>): () => Promise<void> {
  let seeding: Promise<void> | undefined;
  return () => (seeding ??= seed());
}
