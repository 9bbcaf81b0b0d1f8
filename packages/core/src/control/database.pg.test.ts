import { PATIENT_MS, createTestDatabase, type TestDatabase } from '@wherry/embedded/testing';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { isWherryError } from '../errors.ts';
import { audit } from './audit.ts';
import { controlError, isTransient, openDatabase, transaction, type Database } from './database.ts';
import { coreSchema } from './index.ts';
import { applySchema } from './schema.ts';

let place: TestDatabase;
let database: Database;

beforeAll(async () => {
  place = await createTestDatabase(inject('postgresUrl'));
  database = openDatabase({ url: place.url, poolSize: 4, statementMs: PATIENT_MS, applicationName: 'database-test' });
  await applySchema(database, [coreSchema]);
  await database.query('CREATE TABLE item (n bigint PRIMARY KEY)');
});

afterAll(async () => {
  await database.end();
  await place.drop();
});

const failureOf = (work: Promise<unknown>): Promise<unknown> => work.then(() => undefined).catch((error: unknown) => error);
const count = async (): Promise<number> => (await database.query<{ n: number }>('SELECT count(*)::int AS n FROM item')).rows[0]?.n ?? -1;

test('bigint columns become bigint, with all their digits', async () => {
  const { rows } = await database.query<{ big: bigint; small: number; text: string }>(
    `SELECT 9223372036854775807::bigint AS big, 7::int AS small, $1::bigint::text AS text`,
    [9_223_372_036_854_775_806n],
  );
  expect(rows[0]).toEqual({ big: 9_223_372_036_854_775_807n, small: 7, text: '9223372036854775806' });
});

test('READ COMMITTED is set whatever the server says: the fence does not work above it', async () => {
  await database.query(`ALTER DATABASE ${place.name} SET default_transaction_isolation = 'repeatable read'`);
  const fresh = openDatabase({ url: place.url, statementMs: PATIENT_MS });
  try {
    const level = await transaction(
      fresh,
      async (tx) => (await tx.query<{ v: string }>(`SELECT current_setting('transaction_isolation') AS v`)).rows[0]?.v,
    );
    expect(level).toBe('read committed');
  } finally {
    await fresh.end();
  }
});

test('a transaction is committed when its work resolves and rolled back when it throws', async () => {
  expect(await transaction(database, async (tx) => (await tx.query('INSERT INTO item VALUES (1)')).rowCount)).toBe(1);
  const failure = new Error('second thoughts');
  const work = transaction(database, async (tx) => {
    await tx.query('INSERT INTO item VALUES (2)');
    throw failure;
  });
  expect(await failureOf(work)).toBe(failure);
  expect(await count()).toBe(1);
});

test('a connection lost in a transaction is an error of that transaction, transient, and the pool goes on', async () => {
  const lost = transaction(database, async (tx) => {
    await tx.query('INSERT INTO item VALUES (3)');
    await tx.query('SELECT pg_terminate_backend(pg_backend_pid())');
  });
  expect(isTransient(await failureOf(lost))).toBe(true);
  // Lost while no statement is under way: nobody but the connection's own listener hears of it.
  const between = transaction(database, async (tx) => {
    const gone = Promise.withResolvers<void>();
    tx.once('end', gone.resolve);
    const { rows } = await tx.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    await database.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid]);
    await gone.promise;
    await tx.query('INSERT INTO item VALUES (4)');
  });
  expect(isTransient(await failureOf(between))).toBe(true);
  expect(await count()).toBe(1);
});

test('connections are given back, also by failing transactions', async () => {
  for (let i = 0; i < 12; i++) await failureOf(transaction(database, (tx) => tx.query('SELECT 1 / 0')));
  expect(await count()).toBe(1);
});

test('transient is what may succeed when it is repeated', async () => {
  const hasty = openDatabase({ url: place.url, statementMs: 50 });
  try {
    expect(isTransient(await failureOf(hasty.query('SELECT pg_sleep(600)')))).toBe(true);
  } finally {
    await hasty.end();
  }
  expect(isTransient(await failureOf(database.query('SELECT 1 / 0')))).toBe(false);
  expect(isTransient(await failureOf(database.query('SELECT nonsense')))).toBe(false);
  expect(isTransient(new Error('anything'))).toBe(false);
  expect(isTransient('text')).toBe(false);
  for (const code of ['40001', '40P01', '08006', '57P01', '57P03', '53300'])
    expect(isTransient(Object.assign(new Error('x'), { code }))).toBe(true);
  for (const code of ['23505', '42P01', '22P02']) expect(isTransient(Object.assign(new Error('x'), { code }))).toBe(false);
});

test('a server that is not there is control_unavailable, without the password of its URL', async () => {
  const absent = openDatabase({ url: 'postgres://someone:hunter2@127.0.0.1:1/x' });
  try {
    const error = controlError(await failureOf(absent.query('SELECT 1')));
    expect(isWherryError(error, 'control_unavailable')).toBe(true);
    expect(String(error)).not.toContain('hunter2');
  } finally {
    await absent.end();
  }
  const other = new Error('not about the connection');
  expect(controlError(other)).toBe(other);
});

test('an audit entry stands and falls with the act that it tells of', async () => {
  await transaction(database, (tx) => audit(tx, { actor: 'alice', action: 'rollout.advance', reason: 'ready', details: { percent: 5 } }));
  await failureOf(
    transaction(database, async (tx) => {
      await audit(tx, { actor: 'alice', action: 'rollout.rollback' });
      throw new Error('no');
    }),
  );
  const { rows } = await database.query('SELECT actor, action, reason, details FROM audit');
  expect(rows).toEqual([{ actor: 'alice', action: 'rollout.advance', reason: 'ready', details: { percent: 5 } }]);
});
