import fc from 'fast-check';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { openDatabase, type Database } from '@wherry/core/control';
import { bigintArray, byteaArray, intArray, textArray } from './array-parameter.ts';

let database: Database;
beforeAll(() => void (database = openDatabase({ url: inject('postgresUrl') })));
afterAll(async () => database.end());

const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('', 'NULL', '{}', '"', '\\', ',', '{"a":"b\\n"}', '\u0001', '\ud800', 'a\udc00b', '👩‍🚀', 'ß'.repeat(9000)),
);
const int8 = fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.constantFrom(0n, -1n, 2n ** 32n, -(2n ** 32n), 2n ** 53n));

test('arrays arrive as they were, NULLs and empty ones too', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(fc.option(text), fc.option(fc.uint8Array()), fc.option(int8), fc.integer())), async (rows) => {
      const clean = rows.map(([t, b, i, n]) => ({
        t: t?.replaceAll('\0', '').toWellFormed() ?? null,
        b: b === null ? null : Buffer.from(b),
        i,
        n,
      }));
      const answer = await database.query('SELECT * FROM unnest($1::text[], $2::bytea[], $3::bigint[], $4::int[]) k(t, b, i, n)', [
        textArray(rows.map(([t]) => t?.replaceAll('\0', '') ?? null)),
        byteaArray(clean.map(({ b }) => b)),
        bigintArray(clean.map(({ i }) => i)),
        intArray(clean.map(({ n }) => n)),
      ]);
      expect(answer.rows).toEqual(clean);
    }),
  );
});

test('whole numbers are written as exactly as big integers', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.maxSafeInteger(), { minLength: 1 }), async (numbers) => {
      const { rows } = await database.query('SELECT unnest($1::bigint[]) AS n', [bigintArray(numbers)]);
      expect(rows.map(({ n }) => n)).toEqual(numbers.map(BigInt));
    }),
  );
});

test.each([
  ['a fraction', () => bigintArray([1.5])],
  ['NaN', () => bigintArray([Number.NaN])],
  ['infinity', () => bigintArray([Number.POSITIVE_INFINITY])],
  ['a number past what is exact', () => bigintArray([2 ** 53])],
  ['2^63', () => bigintArray([2n ** 63n])],
  ['below -2^63', () => bigintArray([-(2n ** 63n) - 1n])],
  ['2^31 as int', () => intArray([2 ** 31])],
  ['a fraction as int', () => intArray([0.5])],
])('%s is refused before it is sent', (_what, write) => {
  expect(write).toThrow(expect.objectContaining({ code: 'record_unstorable' }));
});

test('NUL is left for the database to refuse', async () => {
  await expect(database.query('SELECT $1::text[]', [textArray(['a\0b'])])).rejects.toMatchObject({ code: '22021' });
});
