import { randomBytes } from 'node:crypto';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { changeMigration } from '@wherry/migration';
import { Workbench } from '@wherry/migration/testing';
import { createRedisSource } from '@wherry/sessions/redis';
import { expect, inject, test, vi } from 'vitest';
import { startProcess } from '../support/test-process.ts';
import { LIFE_MS, sessionValue } from './session-value.ts';

test('a slot does not change sides while a process holds a repair that it could not store', async () => {
  const bench = await Workbench.create(inject('postgresUrl'));
  const source = createRedisSource({ url: inject('redisUrl'), prefix: `fault-${randomBytes(4).toString('hex')}:`, timeoutMs: PATIENT_MS });
  const writer = await startProcess({ bench, role: 'writer' });
  try {
    const sessions = writer.carried(source);
    expect(await sessions.save('a', sessionValue(1, 0), LIFE_MS)).toBe('saved');
    const running = await bench.migrator(source, { graceMs: 200 });
    const { control } = running.context;
    await changeMigration(control, { goalPercent: 0 }, { actor: 'test' });
    await running.migrator.atGoal();
    await control.query(`
      CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no room'' USING ERRCODE = ''53100''; END';
      CREATE TRIGGER refuse BEFORE INSERT ON repair_entry FOR EACH ROW EXECUTE FUNCTION refuse()`);
    writer.faults.add({ point: 'session-put', when: 'before' });
    expect(await sessions.save('a', sessionValue(1, 1), LIFE_MS)).toBe('saved');
    expect(writer.runtime.repairs.waiting).toBe(1);

    await changeMigration(control, { goal: 'target', goalPercent: 100 }, { actor: 'test' });
    // Batches are tried, and every one waits for the acknowledgement that does not come.
    await vi.waitFor(
      async () => {
        const { rows } = await control.query<{ tries: bigint }>(`SELECT seq AS tries FROM feed_topic WHERE topic = 'slot-map'`);
        expect(rows[0]?.tries).toBeGreaterThan(6n);
      },
      { interval: 20 },
    );
    await running.context.slots.refresh();
    expect(running.context.slots.counts().every(({ target }) => target === 0)).toBe(true);

    await control.query('DROP TRIGGER refuse ON repair_entry');
    await running.migrator.atGoal();
    const read = await sessions.read('a');
    expect(read).toMatchObject({ state: 'live', side: 'target' });
    expect(JSON.parse(read.state === 'live' ? read.attributes : '{}')).toMatchObject({ value: 1 });
  } finally {
    await writer.leave();
    await bench.close();
    await source.close();
  }
});
