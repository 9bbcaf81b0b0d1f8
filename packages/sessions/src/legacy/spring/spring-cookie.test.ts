import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SpringCookie } from './spring-cookie.ts';

const cookie = new SpringCookie({});
const ID = '3b0f4c1e-7c8d-4c52-9f9c-0d9a4c6f1e2b';
const base64 = (text: string): string => Buffer.from(text).toString('base64');

test('what is built is read, whatever the id is made of', () => {
  const ids = fc.oneof(
    fc.uuid(),
    fc.string({ unit: fc.integer({ min: 0x21, max: 0x7e }).map((unit) => String.fromCharCode(unit)), minLength: 1 }),
  );
  fc.assert(
    fc.property(ids, (rawId) => {
      expect(cookie.read(cookie.build(rawId))).toEqual({ outcome: 'verified', rawId });
    }),
  );
});

test.each([
  ['in base64', base64(ID)],
  ['in base64 without padding', base64(ID).replaceAll('=', '')],
  ['plain', ID],
  ['behind the route of a server', base64(`${ID}.node-1`)],
  ['plain, behind a route', `${ID}.node1`],
])('an id %s', (_, value) => {
  expect(cookie.read(`a=b; SESSION=${value}; c=d`)).toEqual({ outcome: 'verified', rawId: ID });
});

test('an id that happens to be base64 stays what it is where its bytes are no id', () => {
  const hex = '3b0f4c1e7c8d4c529f9c0d9a4c6f1e2b';
  expect(cookie.verify(hex)).toEqual({ outcome: 'verified', rawId: hex });
});

test('of several the first that names an id', () => {
  expect(cookie.read(`SESSION=; SESSION=\u0001; SESSION=${base64('one')}; SESSION=${base64('two')}`)).toEqual({
    outcome: 'verified',
    rawId: 'one',
  });
});

test('what names none', () => {
  expect(cookie.read(undefined)).toEqual({ outcome: 'absent' });
  expect(cookie.read('XSESSION=abc; SESSION')).toEqual({ outcome: 'absent' });
  expect(cookie.read('SESSION=')).toEqual({ outcome: 'absent' });
  expect(cookie.read('SESSION=a b')).toEqual({ outcome: 'invalid', reason: 'malformed' });
  expect(cookie.read(`SESSION=${'a'.repeat(2000)}`)).toEqual({ outcome: 'invalid', reason: 'too_long' });
  expect(new SpringCookie({ name: 'SID' }).read(`SESSION=${base64(ID)}`)).toEqual({ outcome: 'absent' });
});

test('any header is answered without a throw', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(typeof cookie.read(`SESSION=${text}`).outcome).toBe('string');
    }),
  );
});
