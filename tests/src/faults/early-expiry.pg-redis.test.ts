import { randomBytes } from 'node:crypto';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { changeMigration } from '@wherry/migration';
import { Workbench } from '@wherry/migration/testing';
import { carriedSessionKey, type SourceStore } from '@wherry/sessions';
import { createRedisSource } from '@wherry/sessions/redis';
import { expect, inject, test } from 'vitest';
import { startProcess } from '../support/test-process.ts';
import { LIFE_MS, sessionValue } from './session-value.ts';

/** Enough for one to lie in a share of two slots in a hundred. */
const CARRIED = 500;

/** As if no touch had come to the source for the idle time: the session has run out there, and its version is still known. */
async function runOut(source: SourceStore, rawId: string): Promise<void> {
  const [session] = await source.get([rawId]);
  expect(await source.touch(rawId, 0, session?.version.epoch ?? 0)).toMatchObject({ outcome: 'applied' });
  await expect.poll(() => source.get([rawId])).toEqual([undefined]);
}

test('sessions that ran out at the source while the target was primary answer after a rollback', async () => {
  const bench = await Workbench.create(inject('postgresUrl'));
  const source = createRedisSource({ url: inject('redisUrl'), prefix: `fault-${randomBytes(4).toString('hex')}:`, timeoutMs: PATIENT_MS });
  const writer = await startProcess({ bench, role: 'writer' });
  try {
    const sessions = writer.carried(source);
    const names = Array.from({ length: CARRIED }, (_, n) => `session-${n}`);
    await Promise.all(names.map((name) => source.save(name, sessionValue(1, 0), LIFE_MS, 1)));
    const running = await bench.migrator(source, { graceMs: 200 });
    const { control, slots } = running.context;
    await changeMigration(control, { goal: 'target', goalPercent: 2 }, { actor: 'test' });
    await running.migrator.atGoal();
    await slots.refresh();
    await writer.runtime.slots.refresh();
    const moved = (name: string): boolean => slots.entry(carriedSessionKey(name).slot).side === 'target';
    const carried = names.find(moved) ?? '';
    const [late, away, ended, over] = Array.from({ length: 20 * CARRIED }, (_, n) => `new-${n}`).filter(moved) as [
      string,
      string,
      string,
      string,
    ];
    for (const id of [late, away, ended, over]) expect(await sessions.save(id, sessionValue(1, 0), LIFE_MS)).toBe('saved');
    for (const id of [carried, late, away, ended, over]) await runOut(source, id);

    // The touches come too late for the source, or do not come because it is away.
    for (const id of [carried, late, ended]) expect(await sessions.touch(id, LIFE_MS)).toBe('touched');
    await writer.runtime.drain();
    writer.faults.add({ point: 'source.touch', when: 'before' });
    expect(await sessions.touch(away, LIFE_MS)).toBe('touched');
    await writer.runtime.drain();
    // One is ended meanwhile, and one runs out by the target's word as well.
    await sessions.end(ended, 'logout');
    expect(await sessions.touch(over, 1)).toBe('touched');
    await writer.runtime.drain();
    await expect.poll(() => sessions.read(over)).toEqual({ state: 'absent' });

    await changeMigration(control, { goal: 'source', goalPercent: 100 }, { actor: 'test' });
    await running.migrator.atGoal();
    const answers = await Promise.all([carried, late, away, ended, over].map((id) => sessions.read(id)));
    const live = { state: 'live', side: 'source' };
    expect(answers).toMatchObject([live, live, live, { state: 'ended' }, { state: 'absent' }]);
  } finally {
    await writer.leave();
    await bench.close();
    await source.close();
  }
});
