import { randomBytes } from 'node:crypto';
import { isWherryError } from '@wherry/core';
import { PATIENT_MS, openWay } from '@wherry/embedded/testing';
import { changeMigration } from '@wherry/migration';
import { Workbench } from '@wherry/migration/testing';
import { carriedSessionKey } from '@wherry/sessions';
import { createRedisSource } from '@wherry/sessions/redis';
import { expect, inject, test } from 'vitest';
import { startProcess } from '../support/test-process.ts';
import { LIFE_MS, sessionValue } from './session-value.ts';

/** Enough for one to lie in the first 64 slots. */
const CARRIED = 3000;

/*
 * A process that has lost its way to control saves once more under its lease: at the source alone, because its shard
 * fails it, and the repair entry is in its memory. Nobody but itself knows that the target lacks the save. What keeps it
 * is that the slot does not change sides before the process has answered or its lease is over, and then not before a
 * comparison.
 */
test.for([
  { name: 'hears nothing of the closing', killed: false },
  { name: 'is killed while slots are closing', killed: true },
])('what a process acknowledged that $name is there when the slot has changed sides', async ({ killed }) => {
  const bench = await Workbench.create(inject('postgresUrl'));
  const source = createRedisSource({ url: inject('redisUrl'), prefix: `fault-${randomBytes(4).toString('hex')}:`, timeoutMs: PATIENT_MS });
  const link = await openWay(bench.controlUrl);
  const deaf = await startProcess({ bench, role: 'writer', controlUrl: link.url });
  const { runtime: gateway } = await bench.process('gateway');
  const control = bench.database(bench.controlUrl);
  try {
    const ids = Array.from({ length: CARRIED }, (_, n) => `session-${n}`);
    await Promise.all(ids.map((id) => source.save(id, sessionValue(1, 0), LIFE_MS, 1)));
    const deafSessions = deaf.carried(source);
    let saved: { readonly id: string; readonly outcome: unknown } | undefined;
    let believedAtCommit: boolean | undefined;

    const lastSave = async (): Promise<void> => {
      const { rows } = await control.query<{ slot: number }>(`SELECT slot FROM slot_map WHERE state = 'closing'`);
      const closing = new Set(rows.map(({ slot }) => slot));
      const id = ids.find((candidate) => closing.has(carriedSessionKey(candidate).slot)) ?? '';
      deaf.faults.add({ point: 'session-put', when: 'before' });
      saved = { id, outcome: await deafSessions.save(id, sessionValue(1, 1), LIFE_MS).catch((error: unknown) => error) };
      if (killed) await control.query('UPDATE instance SET lease_until = wherry_now() - 1 WHERE id = $1', [deaf.runtime.instance.id]);
    };
    const running = await bench.migrator(source, {
      graceMs: 200,
      at: async (point) => {
        if (point === 'switch.closing' && saved === undefined) await lastSave();
        if (point === 'switch.committed') believedAtCommit ??= deaf.runtime.instance.leaseValid;
      },
    });
    await changeMigration(control, { goal: 'target', goalPercent: 0 }, { actor: 'test' });
    await running.migrator.atGoal();
    link.sever();
    await changeMigration(control, { goal: 'target', goalPercent: 1 }, { actor: 'test' });
    await running.migrator.atGoal();

    // On a machine that stood still for seconds the lease was over by then, and nothing was promised.
    if (isWherryError(saved?.outcome, 'control_unavailable')) return;
    expect(saved).toMatchObject({ id: expect.stringMatching(/^session-/), outcome: 'saved' });
    if (!killed) expect(believedAtCommit).toBe(false);
    const read = await bench.carried(gateway, source).read(saved?.id ?? '');
    expect(read).toMatchObject({ state: 'live', side: 'target' });
    expect(JSON.parse(read.state === 'live' ? read.attributes : '{}')).toMatchObject({ value: 1 });
  } finally {
    link.mend();
    await deaf.leave();
    await link[Symbol.asyncDispose]();
    await bench.close();
    await source.close();
  }
});
