import { PATIENT_MS, createTestDatabase, type TestDatabase } from '@wherry/embedded/testing';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import { openDatabase, transaction, type Database, type Transaction } from './database.ts';
import { leastAcknowledged, nextSeq } from './feed.ts';
import { coreSchema } from './index.ts';
import { applySchema } from './schema.ts';

let place: TestDatabase;
let database: Database;

beforeAll(async () => {
  place = await createTestDatabase(inject('postgresUrl'));
  database = openDatabase({ url: place.url, poolSize: 12, statementMs: PATIENT_MS });
  await applySchema(database, [coreSchema]);
  await database.query('CREATE TABLE item (name text, seq bigint)');
});
beforeEach(async () => {
  await database.query('TRUNCATE item, feed_topic, instance');
});
afterAll(async () => {
  await database.end();
  await place.drop();
});

/** Reads what is newer than the last number that it saw, as every follower does. */
class Follower {
  readonly seen: string[] = [];
  #reached = 0n;

  async poll(): Promise<void> {
    const { rows } = await database.query<{ name: string; seq: bigint }>('SELECT name, seq FROM item WHERE seq > $1 ORDER BY seq', [
      this.#reached,
    ]);
    for (const { name, seq } of rows) {
      this.seen.push(name);
      if (seq > this.#reached) this.#reached = seq;
    }
  }
}

const write = async (tx: Transaction, name: string, takeSeq: (tx: Transaction) => Promise<bigint>): Promise<void> => {
  await tx.query('INSERT INTO item VALUES ($1, $2)', [name, await takeSeq(tx)]);
};

test('numbers of a topic rise by one, and topics count by themselves', async () => {
  const seqs = await transaction(database, async (tx) => [await nextSeq(tx, 'a'), await nextSeq(tx, 'a'), await nextSeq(tx, 'b')]);
  expect(seqs).toEqual([1n, 2n, 1n]);
});

test('a number that was rolled back is given out again: there are no holes', async () => {
  await transaction(database, (tx) => nextSeq(tx, 'a'));
  await transaction(database, async (tx) => {
    await nextSeq(tx, 'a');
    throw new Error('no');
  }).catch(() => undefined);
  expect(await transaction(database, (tx) => nextSeq(tx, 'a'))).toBe(2n);
});

interface Writer {
  readonly before: number;
  readonly holding: number;
  readonly rollsBack: boolean;
}

/** Writers whose commits are late by milliseconds, and a follower that never stops asking. Answers what each of them knows. */
async function race(writers: readonly Writer[]): Promise<{ committed: string[]; seen: string[] }> {
  await database.query('TRUNCATE item');
  const follower = new Follower();
  const committed: string[] = [];
  let writing = true;
  const following = (async () => {
    while (writing) await follower.poll();
  })();
  await Promise.all(
    writers.map(async ({ before, holding, rollsBack }, index) => {
      const work = transaction(database, async (tx) => {
        await tx.query('SELECT pg_sleep($1)', [before / 1000]);
        await write(tx, `item ${index}`, (tx) => nextSeq(tx, 'items'));
        await tx.query('SELECT pg_sleep($1)', [holding / 1000]);
        if (rollsBack) throw new Error('rolled back');
      });
      if (await work.then(() => true).catch(() => false)) committed.push(`item ${index}`);
    }),
  );
  writing = false;
  await following;
  await follower.poll();
  return { committed: committed.toSorted(), seen: follower.seen.toSorted() };
}

test('who follows the numbers misses no row and sees none twice, however late commits are', async () => {
  const writer = fc.record({ before: fc.nat(8), holding: fc.nat(8), rollsBack: fc.integer({ max: 4 }).map((n) => n === 0) });
  await fc.assert(
    fc.asyncProperty(fc.array(writer, { minLength: 2, maxLength: 10 }), async (writers) => {
      const { committed, seen } = await race(writers);
      expect(seen).toEqual(committed);
    }),
    { numRuns: 40 },
  );
});

test('numbers that are not held to the commit do lose a row: this is what the topic row is for', async () => {
  await database.query('CREATE SEQUENCE IF NOT EXISTS plain');
  const fromSequence = async (tx: Transaction): Promise<bigint> =>
    (await tx.query<{ n: bigint }>(`SELECT nextval('plain') AS n`)).rows[0]?.n ?? 0n;
  const follower = new Follower();
  const [taken, overtaken] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const late = transaction(database, async (tx) => {
    await write(tx, 'item 0', fromSequence);
    taken.resolve();
    await overtaken.promise;
  });
  await taken.promise;
  await transaction(database, (tx) => write(tx, 'item 1', fromSequence));
  await follower.poll();
  overtaken.resolve();
  await late;
  await follower.poll();
  expect((await database.query('SELECT FROM item')).rows).toHaveLength(2);
  expect(follower.seen).toEqual(['item 1']);
});

test('the least acknowledged number is that of the live instances which follow the topic', async () => {
  const add = (id: string, state: string, leaseFor: number, acked: object): Promise<unknown> =>
    database.query('INSERT INTO instance VALUES ($1, $2, $3, 0, wherry_now() + $4, $5)', [
      id,
      'test',
      state,
      leaseFor,
      JSON.stringify(acked),
    ]);
  expect(await leastAcknowledged(database, 'a')).toBeUndefined();
  await add('live 7', 'live', 3_600_000, { a: 7, b: 1 });
  await add('live 9', 'live', 3_600_000, { a: 9 });
  await add('follows another', 'live', 3_600_000, { b: 2 });
  await add('lapsed', 'live', -1, { a: 1 });
  await add('left', 'left', 3_600_000, { a: 2 });
  await add('settled', 'settled', 3_600_000, { a: 3 });
  expect(await leastAcknowledged(database, 'a')).toBe(7n);
  expect(await leastAcknowledged(database, 'b')).toBe(1n);
  expect(await leastAcknowledged(database, 'c')).toBeUndefined();
});
