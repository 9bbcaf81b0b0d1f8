import { BSON, Binary, Decimal128, Double, Int32, Long, MaxKey, ObjectId, Timestamp, UUID } from 'mongodb';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { documentOf, documentText, fromStoredText, toStoredText, TYPES_KEPT } from './stored-text.ts';

/** What lies in the store, by its bytes. */
function throughText(document: object): Buffer {
  const stored = Buffer.from(BSON.serialize(document));
  const text = documentText(BSON.deserialize(stored, TYPES_KEPT));
  const back = Buffer.from(BSON.serialize(documentOf(text) ?? {}));
  expect(documentText(BSON.deserialize(back, TYPES_KEPT))).toBe(text);
  expect(back.equals(stored)).toBe(true);
  return back;
}

test('every type comes back to the byte', () => {
  throughText({
    cookie: { originalMaxAge: 3_600_000, expires: new Date(1_795_216_483_793), httpOnly: true },
    numbers: [0, -0, 1, -1, 0.5, 2 ** 31 - 1, 2 ** 31, -(2 ** 31), 2 ** 53, 1e300, Number.NaN, Infinity, -Infinity],
    typed: [new Int32(7), new Double(7), Long.fromNumber(7), Long.MAX_VALUE, Decimal128.fromString('1.10'), new Timestamp({ t: 1, i: 2 })],
    ids: [new ObjectId(), new UUID(), new Binary(Buffer.from([0, 255]), 128), new MaxKey()],
    text: 'two\nlines \u{1f600}',
    nothing: null,
    regex: /a+/i,
    $date: { $oid: 'a name of the application' },
    $$already: { __proto__: null, $ref: 'a', $id: 1 },
    ['__proto__']: { polluted: true },
    dated: new Date(-1),
  });
});

test('any session of a JavaScript program comes back to the byte', () => {
  const values = fc.object({
    values: [
      fc.string(),
      fc.double(),
      fc.integer(),
      fc.maxSafeInteger(),
      fc.boolean(),
      fc.constant(null),
      fc.date({ noInvalidDate: true }),
    ],
    key: fc.oneof(
      fc.string().map((name) => name.replaceAll('\0', '')),
      fc.constantFrom('$oid', '$$x', '__proto__', '$numberLong'),
    ),
    maxDepth: 3,
  });
  fc.assert(fc.property(values, (session) => void throughText(session)));
});

test('the application gets what its own store would have given it', () => {
  const session = {
    cookie: { expires: new Date(5) },
    user: { _id: new ObjectId(), n: Long.fromNumber(9), tags: ['a', undefined], at: new Date(7) },
  };
  const theirs = BSON.deserialize(BSON.serialize(session));
  expect(fromStoredText(toStoredText(session))).toEqual(theirs);
  expect(theirs).toMatchObject({ user: { n: 9, tags: ['a', null] } });
});

test.each(['', '{', '[1]', 'null', '"{}"', '{"a":{"$oid":"no id"}}', '{"$numberLong":"1"}', `{"a":${'['.repeat(200)}${']'.repeat(200)}}`])(
  '%j is no document',
  (text) => {
    expect(documentOf(text)).toBeUndefined();
  },
);

test('any text is a document or none, without an error', () => {
  const texts = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.json(),
    fc.json().map((json) => `{"$binary":${json},"$code":${json}}`),
  );
  fc.assert(
    fc.property(texts, (text) => {
      expect(['undefined', 'object']).toContain(typeof documentOf(text));
    }),
  );
});
