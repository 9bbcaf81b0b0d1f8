import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DecodedSession, Undecodable } from '../../source/decoder.ts';
import { expressJsonDecoder } from './express-json.ts';

const identity = { userId: 'user.id', username: 'user.name', authorities: ['user.roles', 'user.permissions'] };
const decode = expressJsonDecoder({ identity });
const cookie = { originalMaxAge: 1_800_000, expires: '2026-01-01T00:00:00.000Z', httpOnly: true, path: '/' };

function decoded(value: string): DecodedSession {
  const result = decode(value);
  if (!result.ok) throw new Error(`not decoded: ${result.why.reason}`);
  return result.session;
}

function refused(value: string, decoder = decode): Undecodable['reason'] {
  const result = decoder(value);
  if (result.ok) throw new Error('decoded');
  expect(value.length < 4 || !result.why.detail.includes(value)).toBe(true);
  return result.why.reason;
}

const withUser = (user: unknown): string => JSON.stringify({ cookie, user });

describe('express-session JSON', () => {
  test('identity, idle time and the exact text', () => {
    const value = ` {"user":{"id":42,"name":"ada\\u0000","extra":1.0},"cookie":{"originalMaxAge":1799999.5}}`;
    expect(decode(value)).toMatchObject({ ok: false, why: { reason: 'identity_invalid' } });
    const fine = value.replace('\\u0000', ' \\"').replace('"extra"', '"nul\\u0000"');
    expect(decoded(fine)).toEqual({ userId: '42', username: 'ada "', authorities: [], attributes: fine, idleMs: 1_800_000 });
  });

  test('whatever an application stores comes back to the byte', () => {
    const keys = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('__proto__', 'constructor', 'toString', 'cart'));
    fc.assert(
      fc.property(fc.dictionary(keys, fc.jsonValue({ maxDepth: 4 })), fc.boolean(), (attributes, pretty) => {
        const value = JSON.stringify({ ...attributes, cookie, user: { id: 'u1' } }, null, pretty ? 2 : 0);
        expect(decoded(value)).toMatchObject({ userId: 'u1', attributes: value });
      }),
    );
  });

  test.each([
    ['u1', 'u1'],
    [7, '7'],
    [0, '0'],
    [Number.MAX_SAFE_INTEGER, '9007199254740991'],
    ['ünï😀', 'ünï😀'],
    [null, null],
    [undefined, null],
  ])('user id %j becomes %j', (id, userId) => {
    expect(decoded(withUser({ id })).userId).toBe(userId);
  });

  test.each([[''], [1.5], [true], [{}], [['u1']], ['a\u0000'], ['a\n'], ['x'.repeat(257)], ['\ud800']])('user id %j is invalid', (id) => {
    expect(refused(withUser({ id }))).toBe('identity_invalid');
  });

  test('a number that has lost digits is invalid', () => {
    expect(refused('{"cookie":{},"user":{"id":9007199254740993}}')).toBe('identity_invalid');
  });

  test('nobody has signed in: no name and no authorities either', () => {
    for (const user of [undefined, null, {}, { name: 'guest', roles: ['guest'] }, 'text', 5]) {
      expect(decoded(withUser(user))).toMatchObject({ userId: null, username: null, authorities: [] });
    }
  });

  test.each([
    [['admin', 'has space'], 'orders:read, orders:write', ['admin', 'has space', 'orders:read', 'orders:write']],
    ['admin staff', undefined, ['admin', 'staff']],
    [
      ['a', 'b'],
      ['b', 'c'],
      ['a', 'b', 'c'],
    ],
    ['', [], []],
    [null, ' , ', []],
  ])('roles %j and permissions %j become %j', (roles, permissions, authorities) => {
    expect(decoded(withUser({ id: 1, roles, permissions })).authorities).toEqual(authorities);
  });

  test.each([[[1]], [[['a']]], [{ a: true }], [true], [5], [['']], [['a\u0007']]])('roles %j are invalid', (roles) => {
    expect(refused(withUser({ id: 1, roles }))).toBe('identity_invalid');
  });

  test('a user whose id is that of a service is not taken for one', () => {
    expect(refused(withUser({ id: 'client:reports' }))).toBe('identity_invalid');
    expect(decoded(withUser({ id: 'clientele:1' })).userId).toBe('clientele:1');
  });

  test('members of the prototype name nobody', () => {
    const byPrototype = expressJsonDecoder({
      identity: { userId: '__proto__.id', username: 'constructor.name', authorities: ['toString.name'] },
    });
    expect(byPrototype('{"cookie":{}}')).toMatchObject({ ok: true, session: { userId: null } });
    // Stored by the application under that name, it is an attribute like any other.
    expect(byPrototype('{"cookie":{},"__proto__":{"id":"x"}}')).toMatchObject({
      ok: true,
      session: { userId: 'x', username: null, authorities: [] },
    });
    expect(Object.hasOwn(Object.prototype, 'id')).toBe(false);
  });

  test.each([
    ['', 'not_json'],
    ['{', 'not_json'],
    ['"secret-value', 'not_json'],
    ['{"cookie":{}}x', 'not_json'],
    ['\ufeff{"cookie":{}}', 'not_json'],
    ['null', 'not_a_session'],
    ['[]', 'not_a_session'],
    ['"text"', 'not_a_session'],
    ['{}', 'not_a_session'],
    ['{"cookie":null}', 'not_a_session'],
    ['{"cookie":[]}', 'not_a_session'],
    ['{"cookie":{"originalMaxAge":"1"}}', 'not_a_session'],
    ['{"__proto__":{"cookie":{}}}', 'not_a_session'],
  ])('%j is %s', (value, reason) => {
    expect(refused(value)).toBe(reason);
  });

  test('idle time: absent, none, past', () => {
    expect(decoded('{"cookie":{}}').idleMs).toBeNull();
    expect(decoded('{"cookie":{"originalMaxAge":null}}').idleMs).toBeNull();
    expect(decoded('{"cookie":{"originalMaxAge":-5}}').idleMs).toBe(0);
  });

  test('size is counted in bytes', () => {
    const small = expressJsonDecoder({ identity, maxBytes: 40 });
    const value = (text: string): string => `{"cookie":{},"a":"${text}"}`;
    expect(small(value('x'.repeat(20))).ok).toBe(true);
    expect(refused(value('x'.repeat(21)), small)).toBe('too_large');
    expect(small(value('😀'.repeat(5))).ok).toBe(true);
    expect(refused(value(`${'😀'.repeat(5)}x`), small)).toBe('too_large');
    expect(refused(value('x'.repeat(512 * 1024)))).toBe('too_large');
  });

  test('depth is counted outside of strings, before parsing', () => {
    const nested = (depth: number): string => `{"cookie":{},"a":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`;
    expect(decode(nested(32)).ok).toBe(true);
    expect(refused(nested(33))).toBe('too_deep');
    expect(refused('['.repeat(200_000))).toBe('too_deep');
    expect(decode(`{"cookie":{},"a":"${'['.repeat(100)}\\"${'{'.repeat(100)}\\\\"}`).ok).toBe(true);
    expect(refused(`{"cookie":{},"a":"\\\\",${'"b":['.repeat(40)}`)).toBe('too_deep');
  });

  test('any text at all is answered without a throw', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.json()), (value) => {
        expect(typeof decode(value).ok).toBe('boolean');
      }),
    );
  });
});
