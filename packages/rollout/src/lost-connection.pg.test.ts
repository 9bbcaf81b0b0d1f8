import { coreSchema, openDatabase, type Database } from '@wherry/core/control';
import { createControlDatabase, type ControlDatabase } from '@wherry/core/testing';
import { PATIENT_MS, openWay } from '@wherry/embedded/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { moveRollout } from './commands.ts';
import { rolloutHistory } from './history.ts';
import { readRollout, rolloutSchema, type Rollout } from './rollout.ts';

let home: ControlDatabase;
let database: Database;
beforeAll(async () => {
  home = await createControlDatabase(inject('postgresUrl'), [coreSchema, rolloutSchema]);
  ({ database } = home);
});
afterAll(() => home[Symbol.asyncDispose]());
beforeEach(async () => {
  await database.query('TRUNCATE audit');
  await database.query(`UPDATE rollout SET version = 1, course = 1, phase = 'dual', percent = NULL`);
});

const advance = { command: 'advance', percent: 5 } as const;
const move = (by: Database, expectedVersion: number): Promise<Rollout> => moveRollout(by, advance, { expectedVersion, actor: 'ada' });

/** Moves the rollout over a connection that is cut when statement number `at` has been sent, or its answer has come. */
async function cutAt(at: number, when: 'sent' | 'answered'): Promise<unknown> {
  await using way = await openWay(home.url);
  const pool = openDatabase({ url: way.url, statementMs: PATIENT_MS });
  let statements = 0;
  try {
    pool.on('connect', (client) => {
      const query = client.query.bind(client) as (...values: unknown[]) => Promise<unknown>;
      client.query = ((...values: unknown[]) => {
        const answer = query(...values);
        if (++statements !== at) return answer;
        // In the next turn the statement is on its way; whether it arrives is left to chance.
        if (when === 'sent') setImmediate(way.sever);
        else answer.then(way.sever, way.sever);
        return answer;
      }) as typeof client.query;
    });
    return await move(pool, 1).then(
      () => 'moved',
      (error: unknown) => error,
    );
  } finally {
    way.sever();
    await pool.end();
  }
}

describe('a move whose connection is lost', () => {
  // BEGIN, the row, the audit entry, the number, the row again, COMMIT.
  const points = [1, 2, 3, 4, 5, 6].flatMap((at) => [[at, 'sent'] as const, [at, 'answered'] as const]);
  it.each(points)('at statement %i, when it was %s, happened whole or not at all, and says control_unavailable', async (at, when) => {
    const outcome = await cutAt(at, when);
    // The server may still be at it.
    await database.query('SELECT FROM rollout WHERE id = 1 FOR UPDATE');
    const { version, phase } = await readRollout(database);
    const happened = version === 2;
    expect([version, phase]).toEqual(happened ? [2, 'led'] : [1, 'dual']);
    expect(await rolloutHistory(database)).toHaveLength(happened ? 1 : 0);
    if (outcome === 'moved') expect(happened).toBe(true);
    else expect(outcome).toMatchObject({ code: 'control_unavailable' });
    if (at < 6) expect(happened).toBe(false);
    // The repeat by whoever has read the version again, or has not: never a second move.
    const repeated = await move(database, 1).then(
      () => 'moved',
      (error: unknown) => error,
    );
    if (happened) expect(repeated).toMatchObject({ code: 'conflict' });
    else expect(repeated).toBe('moved');
    expect((await readRollout(database)).version).toBe(2);
  });
});
