import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { PATIENT_MS, createTestDatabase, type TestDatabase } from '@wherry/embedded/testing';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { pause } from '../backoff.ts';
import { isWherryError } from '../errors.ts';
import { openDatabase, type Database } from './database.ts';
import { coreSchema } from './index.ts';
import { applySchema, type SchemaPart } from './schema.ts';

let place: TestDatabase;
let database: Database;
let folder: string;
let part: SchemaPart;

beforeEach(async () => {
  place = await createTestDatabase(inject('postgresUrl'));
  database = openDatabase({ url: place.url, statementMs: PATIENT_MS });
  folder = mkdtempSync(join(tmpdir(), 'wherry-schema-'));
  part = { part: 'test', folder: pathToFileURL(`${folder}/`) };
});

afterEach(async () => {
  await database.end();
  await place.drop();
  rmSync(folder, { recursive: true });
});

const file = (name: string, sql: string): void => writeFileSync(join(folder, name), sql);
const rows = async (table: string): Promise<number> =>
  (await database.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${table}`)).rows[0]?.n ?? -1;

test('files are applied in the order of their numbers, each once', async () => {
  file('0002-fill.sql', 'INSERT INTO a VALUES (1); INSERT INTO a VALUES (2);');
  file('0001-make.sql', 'CREATE TABLE a (n int)');
  file('notes.sql', 'this is no SQL and has no number');
  await applySchema(database, [part]);
  await applySchema(database, [part]);
  expect(await rows('a')).toBe(2);
  file('0003-more.sql', 'INSERT INTO a VALUES (3)');
  await applySchema(database, [part]);
  expect(await rows('a')).toBe(3);
});

test('parts count their files by themselves', async () => {
  file('0001-make.sql', 'CREATE TABLE a (n int)');
  await applySchema(database, [coreSchema, part]);
  await applySchema(database, [part, coreSchema]);
  expect(await rows('schema_file')).toBe(1 + (await rows("schema_file WHERE part = 'core'")));
});

test('a process waits for another one that applies files, longer than a statement may take', async () => {
  file('0001-make.sql', 'CREATE TABLE a (n int); SELECT pg_advisory_xact_lock(1)');
  const hasty = openDatabase({ url: place.url, statementMs: 2000 });
  const gate = await database.connect();
  try {
    await gate.query('SELECT pg_advisory_lock(1)');
    const first = applySchema(database, [part]);
    await expect
      .poll(async () => (await gate.query(`SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 1 AND NOT granted`)).rowCount)
      .toBe(1);
    const others = [1, 2].map(async () => applySchema(hasty, [part]));
    await pause(2500);
    await gate.query('SELECT pg_advisory_unlock(1)');
    await Promise.all([first, ...others]);
  } finally {
    gate.release();
    await hasty.end();
  }
  expect(await rows('schema_file')).toBe(1);
});

test('a file that was changed after it had been applied is refused', async () => {
  file('0001-make.sql', 'CREATE TABLE a (n int)');
  await applySchema(database, [part]);
  file('0001-make.sql', 'CREATE TABLE a (n int, m int)');
  const refused = await applySchema(database, [part]).catch((error: unknown) => error);
  expect(isWherryError(refused, 'config_invalid')).toBe(true);
  expect(String(refused)).toContain('test/0001-make.sql');
});

test('a file that fails leaves the database as it was', async () => {
  file('0001-make.sql', 'CREATE TABLE a (n int)');
  file('0002-broken.sql', 'INSERT INTO missing VALUES (1)');
  await expect(applySchema(database, [part])).rejects.toThrow('missing');
  expect(await rows("pg_tables WHERE tablename IN ('a', 'schema_file')")).toBe(0);
  file('0002-broken.sql', 'INSERT INTO a VALUES (1)');
  await applySchema(database, [part]);
  expect(await rows('a')).toBe(1);
});

test('processes that start together apply each file once', async () => {
  file('0001-make.sql', 'CREATE TABLE a (n int); INSERT INTO a SELECT 1 FROM pg_sleep(0.05)');
  const pools = Array.from({ length: 4 }, () => openDatabase({ url: place.url, statementMs: PATIENT_MS }));
  try {
    await Promise.all(pools.map((pool) => applySchema(pool, [coreSchema, part])));
    expect(await rows('a')).toBe(1);
  } finally {
    await Promise.all(pools.map((pool) => pool.end()));
  }
});
