import { startMariadb } from '@wherry/embedded';
import { PATIENT_MS, createTestDatabase } from '@wherry/embedded/testing';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { MysqlDatabase } from './mysql/mysql-database.ts';
import { ShardSet } from './shard-set.ts';
import { isRowFault } from './shard-error.ts';
import { untilBlocked } from './testing/blocked.ts';
import { openTransaction } from './testing/open-transaction.ts';
import { shardSuite } from './testing/shard-suite.ts';

shardSuite(async () => {
  const server = await startMariadb();
  return { ...server, address: server.url('mysql') };
});

let shards: ShardSet;
let drop: () => Promise<void>;
beforeAll(async () => {
  const { url, drop: dropIt } = await createTestDatabase(inject('mysqlUrl'));
  drop = dropIt;
  shards = new ShardSet({ shards: [{ name: 'a', url }], statementMs: PATIENT_MS, deadlineMs: PATIENT_MS });
  await shards.shard(0).database.query('CREATE TABLE pair (id int PRIMARY KEY, n int NOT NULL)');
  await shards.shard(0).database.query('INSERT INTO pair VALUES (1, 0), (2, 0)');
});
afterAll(async () => {
  await shards.stop();
  await drop();
});

test('connections read committed rows, and no mode of the server changes how values are taken', async () => {
  const { rows } = await shards.query(0, {
    name: 'settings',
    text: 'SELECT @@session.sql_mode AS mode, @@session.collation_connection AS collation',
    values: [],
  });
  expect(rows).toEqual([{ mode: 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION', collation: 'utf8mb4_bin' }]);
  // MySQL 8 has the one name, MariaDB the other, and newer ones of it both.
  const isolation = await shards.query<{ Value: string }>(0, {
    name: 'isolation',
    text: "SHOW SESSION VARIABLES WHERE Variable_name IN ('tx_isolation', 'transaction_isolation')",
    values: [],
  });
  expect([...new Set(isolation.rows.map(({ Value }) => Value))]).toEqual(['READ-COMMITTED']);
});

test('every value arrives as it was and as nothing else, whatever it looks like', async () => {
  const hostile = fc.constantFrom("'", '\\', "\\'", '$1', '$2', '?', '--', '/*', ';', '\0', '\u2028', "'; DROP TABLE pair; --", '𝄞');
  const text = fc.array(fc.oneof(hostile, fc.string({ unit: 'binary' })), { maxLength: 8 }).map((parts) => parts.join(''));
  await fc.assert(
    fc.asyncProperty(
      text,
      fc.uint8Array({ maxLength: 40 }),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      async (a, bytes, id) => {
        const { rows } = await shards.query(0, {
          name: 'echo',
          text: 'SELECT $3 AS id, $1 AS a, $2 AS bytes, $1 AS again, $4 AS missing',
          values: [a, bytes, id, null],
        });
        // A small one is an integer of 32 bits.
        expect(rows.map((row) => ({ ...row, id: BigInt(row['id']) }))).toEqual([
          { id, a: a.toWellFormed(), bytes: Buffer.from(bytes), again: a.toWellFormed(), missing: null },
        ]);
      },
    ),
    { numRuns: 100 },
  );
  await expect(shards.query(0, { name: 'fraction', text: 'SELECT $1', values: [0.5] })).rejects.toMatchObject({
    code: 'record_unstorable',
  });
});

test('two that meet in a circle both come through', async () => {
  const { database } = shards.shard(0);
  const other = await openTransaction(database);
  await other.query('UPDATE pair SET n = n + 1 WHERE id = 2');
  const text = 'START TRANSACTION; UPDATE pair SET n = n + 10 WHERE id = 1; UPDATE pair SET n = n + 10 WHERE id = 2; COMMIT';
  const { retries } = shards.shard(0).counts;
  const message = shards.queryArrays(0, { name: 'circle', text, values: [] });
  await untilBlocked(database);
  // Whichever the database picks is rolled back: this one, or the message, which then is sent again.
  const mine = await other.query('UPDATE pair SET n = n + 1 WHERE id = 1').then(
    () => true,
    () => false,
  );
  if (mine) await other.end('COMMIT');
  else await other.end('ROLLBACK');
  await message;
  expect(shards.shard(0).counts.retries - retries).toBe(mine ? 1 : 0);
  const { rows } = await database.query('SELECT n FROM pair ORDER BY id');
  expect(rows).toEqual(mine ? [{ n: 11 }, { n: 11 }] : [{ n: 10 }, { n: 10 }]);
});

test('a message that fails half-way leaves nothing behind, and its connection is good', async () => {
  const single = new MysqlDatabase({ url: inject('mysqlUrl'), poolSize: 1, statementMs: PATIENT_MS });
  try {
    await single.run('CREATE DATABASE IF NOT EXISTS half; CREATE TABLE IF NOT EXISTS half.one (id int PRIMARY KEY)');
    await expect(
      single.run('START TRANSACTION; INSERT INTO half.one VALUES (1); INSERT INTO half.one VALUES (1); COMMIT'),
    ).rejects.toMatchObject({
      errno: 1062,
    });
    expect((await single.query('SELECT * FROM half.one')).rows).toEqual([]);
    // Refused within a transaction: so there is none.
    await single.run('SET TRANSACTION ISOLATION LEVEL READ COMMITTED');
    await expect(single.run('START TRANSACTION; SET TRANSACTION ISOLATION LEVEL READ COMMITTED')).rejects.toMatchObject({ errno: 1568 });
  } finally {
    await single.run('DROP DATABASE IF EXISTS half');
    await single.end();
  }
});

test('what is longer than the database takes is the fault of the record, and not an outage', async () => {
  const error: unknown = await shards
    .query(0, { name: 'long', text: 'SELECT LENGTH($1)', values: ['x'.repeat(20_000_000)] })
    .catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'record_unstorable' });
  expect(isRowFault(error)).toBe(true);
  expect(shards.shard(0).breaker.state).toBe('closed');
});
