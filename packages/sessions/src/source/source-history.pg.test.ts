import { silentLogger } from '@wherry/core';
import { createControlDatabase, type ControlDatabase } from '@wherry/core/testing';
import { coreSchema } from '@wherry/core/control';
import { shardsControlSchema } from '@wherry/shards';
import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import { sessionsControlSchema } from '../index.ts';
import type { SourceLives } from './lives.ts';
import { SourceHistory } from './source-history.ts';

let control: ControlDatabase;
beforeAll(async () => {
  control = await createControlDatabase(inject('postgresUrl'), [coreSchema, shardsControlSchema, sessionsControlSchema]);
});
afterAll(() => control[Symbol.asyncDispose]());
beforeEach(() => control.database.query('TRUNCATE source_life'));

/** A store that one process looks at: the life of its server, and what was accepted. */
class Looked implements SourceLives {
  accepted: readonly string[] = [];
  /** Awaited by the next look after it has seen the life. */
  held: Promise<void> | undefined;
  readonly #server: { life: string };

  constructor(server: { life: string }) {
    this.#server = server;
  }

  async current(): Promise<readonly string[]> {
    const { life } = this.#server;
    const { held } = this;
    this.held = undefined;
    await held;
    return [life];
  }

  accept(lives: readonly string[]): void {
    this.accepted = lives;
  }
}

function historyOf(lives: SourceLives): SourceHistory {
  const nothing = (): Promise<void> => Promise.resolve();
  return new SourceHistory({ control: control.database, lives, refreshSlots: nothing, tellShards: nothing, log: silentLogger });
}

test('a process that stood still after its look does not shut the servers of now out', async () => {
  const server = { life: 'a' };
  const [late, other] = [new Looked(server), new Looked(server)];
  const [histories, otherHistory] = [historyOf(late), historyOf(other)];
  await histories.follow();
  await otherHistory.follow();
  expect([late.accepted, other.accepted]).toEqual([['a'], ['a']]);

  // Restarted once, which the late one sees, and once more, which the other one brings on record before that one goes on.
  server.life = 'b';
  const stands = Promise.withResolvers<void>();
  late.held = stands.promise;
  const following = histories.follow();
  server.life = 'c';
  await otherHistory.follow();
  stands.resolve();
  await following.catch(() => undefined);

  await otherHistory.follow();
  await histories.follow();
  expect([late.accepted, other.accepted]).toEqual([['c'], ['c']]);
  const { rows } = await control.database.query('SELECT lives, former FROM source_life');
  expect(rows).toEqual([{ lives: ['c'], former: ['a'] }]);
});

test('a life that was replaced does not come back', async () => {
  const server = { life: 'd' };
  const history = historyOf(new Looked(server));
  await history.follow();
  server.life = 'e';
  await history.follow();
  server.life = 'd';
  await expect(history.follow()).rejects.toMatchObject({ code: 'source_unavailable' });
});
