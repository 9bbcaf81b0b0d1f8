import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { koaSession, koaSessionUnsigned } from './formats.ts';
import { koaJsonDecoder } from './koa-json.ts';

const identity = { userId: 'user.id', username: 'user.name', authorities: ['user.roles'] };
const decode = koaJsonDecoder({ identity });
const ADA = '{"user":{"id":42,"name":"Ada","roles":["staff"]},"_expire":1800000000000,"_maxAge":86400000}';

describe('the JSON of koa-session', () => {
  test('who it belongs to, how long it lives untouched, and when it ends', () => {
    expect(decode(ADA)).toEqual({
      ok: true,
      session: {
        userId: '42',
        username: 'Ada',
        authorities: ['staff'],
        attributes: ADA,
        idleMs: 86_400_000,
        expireTime: 1_800_000_000_000,
      },
    });
  });

  test('a session of the browser has neither an idle time nor an end of its own', () => {
    const result = decode('{"visits":1,"_session":true}');
    expect(result).toMatchObject({ ok: true, session: { userId: null, idleMs: null } });
    expect(result.ok && 'expireTime' in result.session).toBe(false);
  });

  test.each([
    ['not_json', '{"_expire":1'],
    ['not_json', ''],
    ['not_a_session', '[]'],
    ['not_a_session', 'null'],
    ['not_a_session', '{}'],
    ['not_a_session', '{"_expire":"1","_maxAge":1}'],
    ['not_a_session', '{"_expire":1}'],
    ['not_a_session', '{"_session":1}'],
    ['not_a_session', '{"cookie":{"originalMaxAge":1}}'],
    ['too_deep', '['.repeat(100_000)],
    ['too_large', `{"text":"${'é'.repeat(300_000)}","_session":true}`],
    ['identity_invalid', '{"user":{"id":{}},"_session":true}'],
  ])('%s: %.40s', (reason, value) => {
    expect(decode(value)).toMatchObject({ ok: false, why: { reason } });
  });

  test('any text is decoded or refused, never thrown at', () => {
    const cut = fc.tuple(fc.nat(ADA.length), fc.nat(ADA.length), fc.string({ maxLength: 4 }));
    const mutated = cut.map(([a, b, text]) => ADA.slice(0, Math.min(a, b)) + text + ADA.slice(Math.max(a, b)));
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.json(), mutated), (value) => {
        const result = decode(value);
        if (result.ok) expect(result.session.attributes).toBe(value);
        else expect(result.why.detail).not.toContain('Ada');
      }),
      { numRuns: 2000 },
    );
  });
});

test('an unsigned cookie holds what a cookie can hold, and no more than an id may', () => {
  const cookie = koaSessionUnsigned.cookie({ secrets: [] });
  expect(cookie.signed).toBe(false);
  expect(cookie.read('a=1; koa.sess=shop:0b9c')).toEqual({ outcome: 'verified', rawId: 'shop:0b9c' });
  for (const value of ['a b', 'é', 'a,b', 'x'.repeat(257)]) expect(cookie.read(`koa.sess=${value}`).outcome).toBe('invalid');
  expect(() => koaSession.cookie({ secrets: [] })).toThrow('secrets');
});
