import { randomBytes } from 'node:crypto';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { changeMigration } from '@wherry/migration';
import { Workbench } from '@wherry/migration/testing';
import { carriedSessionKey } from '@wherry/sessions';
import { createRedisSource } from '@wherry/sessions/redis';
import { expect, inject, test } from 'vitest';
import { LIFE_MS, sessionValue } from './session-value.ts';

/** Enough for one to lie in any batch of 64 slots. */
const CANDIDATES = 20_000;

test('writers go on while a migrator that closed their slots on the shards hangs', async () => {
  const bench = await Workbench.create(inject('postgresUrl'));
  const source = createRedisSource({ url: inject('redisUrl'), prefix: `fault-${randomBytes(4).toString('hex')}:`, timeoutMs: PATIENT_MS });
  try {
    const { runtime } = await bench.process('writer');
    const sessions = bench.carried(runtime, source);
    const control = bench.database(bench.controlUrl);
    let savedIn: string | undefined;
    let outcome: unknown;
    const running = await bench.migrator(source, {
      graceMs: 200,
      at: async (point) => {
        if (point !== 'switch.shards-closed' || savedIn !== undefined) return;
        const { rows } = await control.query<{ slot: number }>(`SELECT slot FROM slot_map WHERE state = 'closing'`);
        const closing = new Set(rows.map(({ slot }) => slot));
        const ids = Array.from({ length: CANDIDATES }, (_, n) => `session-${n}`);
        savedIn = ids.find((id) => closing.has(carriedSessionKey(id).slot)) ?? '';
        // The migrator goes on only when this is answered; it would take a failure here for an outage of its own.
        outcome = await sessions.save(savedIn, sessionValue(1, 1), LIFE_MS).catch((error: unknown) => error);
      },
    });
    await changeMigration(control, { goal: 'target', goalPercent: 2 }, { actor: 'test' });
    await running.migrator.atGoal();
    expect(savedIn).toMatch(/^session-/);
    expect(outcome).toBe('saved');
    expect(await sessions.read(savedIn ?? '')).toMatchObject({ state: 'live', side: 'target' });
  } finally {
    await bench.close();
    await source.close();
  }
});
