import fc from 'fast-check';
import { expect, test } from 'vitest';
import { mongoSessionDecoder } from './mongo-session.ts';
import { withoutTypes } from './typed-json.ts';

const decode = mongoSessionDecoder({ identity: { userId: 'user._id', username: 'user.name', authorities: ['user.roles'] } });
const cookie = '"cookie":{"originalMaxAge":3600000,"expires":{"$date":{"$numberLong":"1795216483793"}},"path":"/"}';

test('a session that is kept as text', () => {
  const value = '{"cookie":{"originalMaxAge":3600000,"path":"/"},"user":{"_id":7,"name":"ada","roles":["staff"]}}';
  const session = { userId: '7', username: 'ada', authorities: ['staff'], attributes: value, idleMs: 3_600_000 };
  expect(decode(value)).toEqual({ ok: true, session });
});

test.each([
  ['{"$oid":"652f1c2b9d3e4a5b6c7d8e9f"}', '652f1c2b9d3e4a5b6c7d8e9f'],
  ['{"$numberLong":"42"}', '42'],
  ['{"$numberLong":"9007199254740993"}', '9007199254740993'],
  ['{"$numberDouble":"42"}', '42'],
  ['{"$symbol":"grace"}', 'grace'],
  ['{"$binary":{"base64":"EjRWeBI0VngSNFZ4EjRWeA==","subType":"04"}}', '12345678-1234-5678-1234-567812345678'],
  ['"$$ada"', '$$ada'],
])('a session that is kept as a document, its user being %s', (id, userId) => {
  const value = `{${cookie},"user":{"_id":${id},"name":"ada","roles":["staff"]}}`;
  const decoded = decode(value);
  expect(decoded).toMatchObject({ ok: true, session: { userId, username: 'ada', authorities: ['staff'], attributes: value } });
  expect(decoded.ok && decoded.session.tree).toMatchObject({ cookie: { expires: '2026-11-20T23:14:43.793Z' } });
});

test.each([
  '{"$binary":{"base64":"AAAA","subType":"00"}}',
  '{"$numberLong":{"valueOf":1,"toString":1}}',
  '{"$numberDouble":"0.5"}',
  '{"$date":{"$numberLong":"1e99"}}',
  '{"$$oid":"652f1c2b9d3e4a5b6c7d8e9f"}',
])('a user that is %s is refused, and not taken for nobody', (id) => {
  expect(decode(`{${cookie},"user":{"_id":${id}}}`)).toMatchObject({ ok: false, why: { reason: 'identity_invalid' } });
});

test('a name of the application that begins with a dollar sign is no wrapper', () => {
  expect(withoutTypes({ $$oid: 'x', $$numberLong: { valueOf: 1 } })).toEqual({ $oid: 'x', $numberLong: { valueOf: 1 } });
});

test('it never throws, whatever it is given', () => {
  const json = fc.oneof(
    fc.json(),
    fc.string({ unit: 'binary' }),
    fc
      .letrec<{ node: unknown }>((tie) => ({
        node: fc.oneof(
          fc.constantFrom<unknown>(null, 1, '', '$oid', { $date: 1 }, { $date: { $numberLong: [] } }, { $numberLong: { toString: null } }),
          fc.dictionary(
            fc.constantFrom('$oid', '$date', '$numberLong', '$$oid', '__proto__', 'user', '_id', 'cookie', 'toString'),
            tie('node'),
            { maxKeys: 4 },
          ),
          fc.array(tie('node'), { maxLength: 3 }),
        ),
      }))
      .node.map((node) => JSON.stringify(node)),
  );
  fc.assert(
    fc.property(json, (text) => {
      expect(typeof decode(text).ok).toBe('boolean');
      expect(typeof decode(`{${cookie},"user":{"_id":${text}}}`).ok).toBe('boolean');
    }),
  );
});
