import { createTestDatabase, type TestDatabase } from '@wherry/embedded/testing';
import { openDatabase, type Database } from '@wherry/core/control';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { intArray } from '../array-parameter.ts';
import type { BinaryRow } from './binary-row.ts';
import { RowClient } from './row-client.ts';
import { readRows, type ReadRowsOptions } from './row-query.ts';

let home: TestDatabase;
let database: Database;
beforeAll(async () => {
  home = await createTestDatabase(inject('postgresUrl'));
  database = openDatabase({ url: home.url, poolSize: 1, client: RowClient });
});
afterAll(async () => {
  await database.end();
  await home.drop();
});

const PATIENT_MS = 30_000;
let names = 0;

/** What `read` makes of each row of a statement. */
async function rowsOf<T>(text: string, read: (row: BinaryRow) => T, options: Partial<ReadRowsOptions> = {}): Promise<T[]> {
  const rows: T[] = [];
  const reader = (row: BinaryRow): void => void rows.push(read(row));
  await readRows(database, { name: `test-${names++}`, text, values: [], timeoutMs: PATIENT_MS, reader, ...options });
  return rows;
}

test('every kind of value is read as it is', async () => {
  const text = `SELECT 7::int4, -5000000000::int8, NULL::int8, 9223372036854775807::int8, 'ä€😀'::text, NULL::text, ''::text, '\\x00ff'::bytea, true, false`;
  const read = (row: BinaryRow): unknown[] => [
    row.number(),
    row.number(),
    row.numberOrNull(),
    row.bigint(),
    row.text(),
    row.textOrNull(),
    row.textOrNull(),
    Buffer.from(row.bytes()),
    row.boolean(),
    row.boolean(),
  ];
  expect(await rowsOf(text, read)).toEqual([
    [7, -5_000_000_000, null, 9_223_372_036_854_775_807n, 'ä€😀', null, '', Buffer.from([0, 255]), true, false],
  ]);
});

test('a column can be passed over, and its bytes be looked at', async () => {
  const read = (row: BinaryRow): unknown[] => {
    row.pass();
    return [row.buffer[row.from], row.to - row.from, row.number()];
  };
  expect(await rowsOf(`SELECT '\\x0102'::bytea, 3`, read)).toEqual([[1, 2, 3]]);
});

test('parameters go over as text, as bytes and as nothing', async () => {
  const text = 'SELECT a, $2::text IS NULL FROM unnest($1::int[]) a WHERE a > $3::int';
  const values = [intArray([1, 2, 3]), null, '1'];
  expect(await rowsOf(text, (row) => [row.number(), row.boolean()], { values })).toEqual([
    [2, true],
    [3, true],
  ]);
});

test('rows larger than what comes at once are whole, and small ones beside them', async () => {
  const text = `SELECT repeat(chr(96 + n), n * 700000) FROM generate_series(1, 9) n UNION ALL SELECT 'end'`;
  const lengths = await rowsOf(text, (row) => row.text().length);
  expect(lengths).toEqual([...Array.from({ length: 9 }, (_, at) => (at + 1) * 700_000), 3]);
});

test('it is prepared once on a connection, and plain statements between are none of its business', async () => {
  const options = { name: 'again' };
  for (const n of [1, 2, 3]) {
    expect(await rowsOf('SELECT $1::int', (row) => row.number(), { ...options, values: [String(n)] })).toEqual([n]);
    expect((await database.query<{ n: bigint }>('SELECT 4::int8 AS n')).rows).toEqual([{ n: 4n }]);
  }
  const { rows } = await database.query<{ n: number }>(`SELECT count(*)::int AS n FROM pg_prepared_statements WHERE name = 'again'`);
  expect(rows).toEqual([{ n: 1 }]);
});

test('a statement that the server refuses fails alone, before its rows and among them', async () => {
  await expect(rowsOf('SELECT nothing', () => 0)).rejects.toThrow(/nothing/);
  await expect(rowsOf('SELECT 10 / (3 - n) FROM generate_series(1, 5) n', (row) => row.number())).rejects.toThrow(/division by zero/);
  expect(await rowsOf('SELECT 1', (row) => row.number())).toEqual([1]);
});

test('what a reader throws fails its statement, and nothing else', async () => {
  const read = (): never => {
    throw new Error('this row is bad');
  };
  await expect(rowsOf('SELECT generate_series(1, 3)', read)).rejects.toThrow('this row is bad');
  expect(await rowsOf('SELECT 1', (row) => row.number())).toEqual([1]);
});

test('a statement that takes too long is given up, and what still comes of it reaches nobody', async () => {
  const seen: number[] = [];
  const late = rowsOf('SELECT 1 UNION ALL SELECT 2 FROM pg_sleep(0.5)', (row) => seen.push(row.number()), { timeoutMs: 50 });
  await expect(late).rejects.toThrow(/timeout/);
  const before = seen.length;
  expect(await rowsOf('SELECT 9 FROM pg_sleep(0.6)', (row) => row.number())).toEqual([9]);
  expect(seen.length).toBe(before);
});

test('a connection that is lost among the rows fails the statement', async () => {
  const text = 'SELECT pg_terminate_backend(pg_backend_pid())::text';
  await expect(rowsOf(text, (row) => row.text())).rejects.toThrow();
  expect(await rowsOf('SELECT 1', (row) => row.number())).toEqual([1]);
});

test('on a connection that does not hand its rows on it is refused', async () => {
  const plain = openDatabase({ url: home.url, poolSize: 1 });
  try {
    const options = { name: 'plain', text: 'SELECT 1', values: [], timeoutMs: PATIENT_MS, reader: () => undefined };
    await expect(readRows(plain, options)).rejects.toThrow('does not hand its rows on');
    expect((await plain.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  } finally {
    await plain.end();
  }
});
