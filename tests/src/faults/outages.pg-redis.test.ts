import { randomBytes } from 'node:crypto';
import { isWherryError } from '@wherry/core';
import { startPostgres, startRedis } from '@wherry/embedded';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { changeMigration, type JournalPoint } from '@wherry/migration';
import { Workbench } from '@wherry/migration/testing';
import { carriedSessionKey, type CarriedSessions } from '@wherry/sessions';
import { createRedisSource } from '@wherry/sessions/redis';
import { expect, inject, test, vi } from 'vitest';
import { LIFE_MS, sessionValue } from './session-value.ts';

const SESSIONS = 150;
/** In the middle of copy, verification and switch. */
const POINTS: readonly JournalPoint[] = ['copy.page-read', 'verify.page-compared', 'switch.shards-closed'];
/** What a caller may be told while a server is away. */
const OUTAGES = ['source_unavailable', 'shard_unavailable', 'control_unavailable', 'slot_not_owned'];

interface Outage {
  readonly server: 'source' | 'shard' | 'control';
  /** What a log-out is told meanwhile, where it must be told something. */
  readonly logOut?: string;
}

test.for<Outage>([
  { server: 'source', logOut: 'source_unavailable' },
  { server: 'shard' },
  { server: 'control', logOut: 'control_unavailable' },
])('the $server goes and comes back in the middle of copy, verification and switch', async ({ server, logOut }) => {
  const postgresUrl = inject('postgresUrl');
  const ownPostgres = server === 'source' ? undefined : await startPostgres();
  const ownRedis = server === 'source' ? await startRedis() : undefined;
  const away = ownPostgres ?? ownRedis;
  const own = ownPostgres?.url('postgres') ?? postgresUrl;
  const bench = await Workbench.create(server === 'control' ? own : postgresUrl, [postgresUrl, server === 'shard' ? own : postgresUrl]);
  const source = createRedisSource({
    url: ownRedis?.url ?? inject('redisUrl'),
    prefix: `fault-${randomBytes(4).toString('hex')}:`,
    timeoutMs: PATIENT_MS,
  });
  try {
    const { runtime } = await bench.process('writer');
    const sessions = bench.carried(runtime, source);
    const saved = new Map<string, number>();
    for (let n = 0; n < SESSIONS; n++) {
      const id = `session-${n}`;
      await source.save(id, sessionValue(n, 0), LIFE_MS, 1);
      saved.set(id, 0);
    }
    const waited: string[] = [];
    const struck = new Set<JournalPoint>();
    const outage = async (point: JournalPoint): Promise<void> => {
      if (!POINTS.includes(point) || struck.has(point)) return;
      struck.add(point);
      await away?.pause();
      const { instance } = runtime;
      const registration = instance.id;
      const unknown = await saveAll(sessions, saved, struck.size);
      // Only the primary side is needed for a save under a lease; a closing slot waits for control.
      if (server !== 'source' && struck.size < 3 && instance.holdsLease(registration)) expect(unknown).toEqual([]);
      if (struck.size === 1 && logOut !== undefined) {
        await expect(sessions.end('session-0', 'logout')).rejects.toMatchObject({ code: logOut });
        saved.delete('session-0');
      }
      await away?.start();
    };
    const running = await bench.migrator(source, {
      writers: 'none',
      graceMs: 1500,
      progress: { progress: () => undefined, note: (text) => waited.push(text) },
      at: outage,
    });
    const control = bench.database(bench.controlUrl);
    await vi.waitFor(() => changeMigration(control, { goal: 'target', goalPercent: 3 }, { actor: 'test' }));
    await running.migrator.atGoal();
    expect([...struck]).toEqual(POINTS);
    for (const [id, value] of saved) {
      // The process may still believe the server away.
      const read = await vi.waitFor(() => sessions.read(id));
      expect({ id, read }).toMatchObject({ id, read: { state: 'live' } });
      if (read.state === 'live') expect({ id, ...(JSON.parse(read.attributes) as object) }).toMatchObject({ id, value });
      await vi.waitFor(async () => expect((await runtime.target.get(carriedSessionKey(id))).state).toBe('live'));
    }
    await running.end();
  } finally {
    await bench.close();
    await source.close();
    await away?.stop();
  }
});

/** Saves some sessions while a server is away: what is acknowledged counts; what is not may have happened, and is not judged. */
async function saveAll(sessions: CarriedSessions, saved: Map<string, number>, value: number): Promise<string[]> {
  const unknown: string[] = [];
  await Promise.all(
    [...saved.keys()].slice(0, 20).map(async (id) => {
      // Of the same user as before: another one would be a change of whose session it is, which needs control.
      const n = Number(id.replace('session-', ''));
      try {
        expect(await sessions.save(id, sessionValue(n, value), LIFE_MS)).toBe('saved');
        saved.set(id, value);
      } catch (error) {
        if (!isWherryError(error) || !OUTAGES.includes(error.code)) throw error;
        unknown.push(id);
      }
    }),
  );
  for (const id of unknown) saved.delete(id);
  return unknown;
}
