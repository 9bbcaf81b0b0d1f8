import { randomBytes } from 'node:crypto';
import '@wherry/embedded/testing';
import { changeMigration } from '@wherry/migration';
import { Workbench } from '@wherry/migration/testing';
import { carriedSessionKey } from '@wherry/sessions';
import { createRedisSource } from '@wherry/sessions/redis';
import { expect, inject, test } from 'vitest';
import { startProcess } from '../support/test-process.ts';
import { LIFE_MS, sessionValue } from './session-value.ts';

test('a session whose life was cut short at the primary target does not live again after a rollback', async () => {
  const bench = await Workbench.create(inject('postgresUrl'));
  const source = createRedisSource({ url: inject('redisUrl'), prefix: `fault-${randomBytes(4).toString('hex')}:` });
  const writer = await startProcess({ bench, role: 'writer' });
  try {
    const sessions = writer.carried(source);
    const running = await bench.migrator(source, { graceMs: 200 });
    const { control, slots } = running.context;
    await changeMigration(control, { goal: 'target', goalPercent: 2 }, { actor: 'test' });
    await running.migrator.atGoal();
    await slots.refresh();
    await writer.runtime.slots.refresh();
    const moved = (name: string): boolean => slots.entry(carriedSessionKey(name).slot).side === 'target';
    const [touched, saved] = Array.from({ length: 20000 }, (_, n) => `new-${n}`).filter(moved) as [string, string];
    for (const id of [touched, saved]) expect(await sessions.save(id, sessionValue(1, 0), LIFE_MS)).toBe('saved');
    await sessions.touch(touched, 1);
    writer.faults.add({ point: 'source.put', when: 'before' });
    await sessions.save(saved, sessionValue(1, 1), 1);
    await writer.runtime.drain();
    for (const id of [touched, saved]) await expect.poll(() => sessions.read(id)).toEqual({ state: 'absent' });
    await changeMigration(control, { goal: 'source', goalPercent: 100 }, { actor: 'test' });
    await running.migrator.atGoal();
    const answers = await Promise.all([touched, saved].map((id) => sessions.read(id)));
    expect(answers.map(({ state }) => state)).toEqual(['absent', 'absent']);
  } finally {
    await writer.leave();
    await bench.close();
    await source.close();
  }
});
