import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DecodedSession, Undecodable } from '../../source/decoder.ts';
import { textOfBytes } from '../../source/text-of-bytes.ts';
import { mappedDecoder } from './mapped-session.ts';
import { MAPPED_VALUES, type SessionMapping } from './mapping.ts';

const identity = { userId: 'account.id', username: 'account.login', authorities: ['account.roles[].name', 'account.scope'] };
const plain: SessionMapping = { value: 'json', timeUnit: 'ms', idleUnit: 's', cookie: 'plain' };

function decode(mapping: Partial<SessionMapping>, value: string): DecodedSession | Undecodable {
  const result = mappedDecoder({ ...plain, ...mapping }, { identity })(value);
  return result.ok ? result.session : result.why;
}

const bytes = (hex: string): string => textOfBytes(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
const ADA = { userId: '42', username: 'ada', authorities: ['ROLE_A', 'read', 'write'], idleMs: null };

describe('a mapped session', () => {
  test('whose it is, however it is written; what the application wrote stays as it is', () => {
    const json = ' {"account":{"id":42,"login":"ada","roles":[{"name":"ROLE_A"}],"scope":"read write"}}';
    expect(decode({}, json)).toMatchObject({ ...ADA, attributes: json });
    const serialised =
      'a:4:{s:2:"id";i:42;s:5:"login";s:3:"ada";s:5:"roles";a:1:{i:0;a:1:{s:4:"name";s:6:"ROLE_A";}}s:5:"scope";s:10:"read write";}';
    const php = textOfBytes(Buffer.from(`account|${serialised}`));
    expect(decode({ value: 'php' }, php)).toMatchObject({ ...ADA, attributes: php });
    expect(decode({ value: 'php_serialize' }, textOfBytes(Buffer.from(`a:1:{s:7:"account";${serialised}}`)))).toMatchObject(ADA);
    // {"account": {"id": 42, "login": "ada", "roles": [{"name": "ROLE_A"}], "scope": "read write"}}
    const packed =
      '81 a7 6163636f756e74 84 a2 6964 2a a5 6c6f67696e a3 616461 a5 726f6c6573 91 81 a4 6e616d65 a6 524f4c455f41 a5 73636f7065 aa 72656164207772697465';
    expect(decode({ value: 'msgpack' }, bytes(packed))).toMatchObject(ADA);
    const pickled = '}Xaccount}(XidK*XloginXadaXroles]}XnameXROLE_AsaXscopeXread writeus.'.replaceAll(
      /X(account|id|login|ada|roles|name|ROLE_A|scope|read write)/g,
      (_all, text: string) => `U${String.fromCharCode(text.length)}${text}`,
    );
    expect(decode({ value: 'pickle' }, textOfBytes(Buffer.from(pickled, 'latin1')))).toMatchObject(ADA);
    const names = { userId: 'id', username: 'login', authorities: ['role'] };
    const pairs = mappedDecoder(
      { ...plain, value: 'urlencoded' },
      { identity: names },
    )(textOfBytes(Buffer.from('id=42&login=a+%C3%A9&role=A&role=B')));
    expect(pairs).toMatchObject({ session: { userId: '42', username: 'a é', authorities: ['A', 'B'] } });
  });

  test('names that hold dots and brackets are escaped', () => {
    const decoder = mappedDecoder(plain, { identity: { userId: String.raw`app\.user.id\[\]` } });
    expect(decoder('{"app.user":{"id[]":"u"},"app":{"user":{"id":"other"}}}')).toMatchObject({ session: { userId: 'u' } });
  });

  test.each([
    [{ timeUnit: 'ms' }, { c: 1_700_000_000_000, e: '1700000001000' }, 1_700_000_000_000, 1_700_000_001_000],
    [{ timeUnit: 's' }, { c: 1_700_000_000.5, e: 1_700_000_001 }, 1_700_000_000_500, 1_700_000_001_000],
    [{ timeUnit: 'iso' }, { c: '2023-11-14T22:13:20Z', e: '2023-11-15T00:13:20.5+0200' }, 1_700_000_000_000, 1_700_000_000_500],
  ] as const)('moments in %j', (unit, value, createTime, expireTime) => {
    expect(decode({ createTime: 'c', expireTime: 'e', ...unit }, JSON.stringify(value))).toMatchObject({ createTime, expireTime });
  });

  test('the end is last access and idle time where only these are there, and the earlier rule wins', () => {
    const mapping = { lastAccessTime: 'last', idleTime: 'idle' } as const;
    expect(decode(mapping, '{"last":1000000,"idle":60}')).toMatchObject({ idleMs: 60_000, expireTime: 1_060_000 });
    expect(decode({ ...mapping, expireTime: 'end' }, '{"last":1000000,"idle":60,"end":1000}')).toMatchObject({ expireTime: 1000 });
    expect(decode({ ...mapping, idleUnit: 'ms' }, '{"last":1000000,"idle":60}')).toMatchObject({ idleMs: 60, expireTime: 1_000_060 });
    for (const value of ['{"last":1000000}', '{"idle":null,"last":1}', '{"idle":0,"last":1}', '{"idle":-5,"last":1}'])
      expect(decode(mapping, value)).toMatchObject({ idleMs: null });
    expect(decode(mapping, '{"last":1000000}')).not.toHaveProperty('expireTime');
    expect(() => mappedDecoder({ ...plain, lastAccessTime: 'last' }, { identity })).toThrow(
      expect.objectContaining({ code: 'config_invalid' }),
    );
  });

  test.each([
    ['ms', '"soon"'],
    ['ms', 'true'],
    ['ms', '-1'],
    ['ms', '1e300'],
    ['ms', '[1]'],
    ['ms', '"1e5"'],
    ['s', '"2023-11-14T22:13:20Z"'],
    ['iso', '1700000000'],
    ['iso', '"2023-11-14T22:13:20"'],
    ['iso', '"2023-13-14T22:13:20Z"'],
    ['iso', '"14 Nov 2023"'],
  ] as const)('a moment in %s that is %s is no session: nothing is guessed', (timeUnit, end) => {
    expect(decode({ expireTime: 'e', timeUnit }, `{"e":${end}}`)).toMatchObject({ reason: 'not_a_session' });
  });

  test.each([
    ['json', '[]', 'not_a_session'],
    ['json', 'null', 'not_a_session'],
    ['json', '{', 'not_json'],
    ['json', `{"a":${'['.repeat(40)}`, 'too_deep'],
    ['json', `{"a":"${'x'.repeat(600_000)}"}`, 'too_large'],
    ['msgpack', bytes('01'), 'not_a_session'],
    ['msgpack', bytes('90'), 'not_a_session'],
    ['msgpack', bytes(''), 'malformed'],
    ['msgpack', bytes('c1'), 'malformed'],
    ['msgpack', bytes('8000'), 'malformed'],
    ['msgpack', bytes('dfffffffff'), 'malformed'],
    ['msgpack', bytes('81a161dbffffffff'), 'malformed'],
    ['msgpack', bytes(`81a161${'91'.repeat(40)}00`), 'too_deep'],
    ['msgpack', bytes(`81a161dd000186a1${'00'.repeat(100_001)}`), 'too_large'],
    ['pickle', textOfBytes(Buffer.from('cos\nsystem\n.')), 'type_refused'],
    ['php', textOfBytes(Buffer.from('account')), 'malformed'],
    ['urlencoded', bytes('ff'), 'malformed'],
    ['urlencoded', textOfBytes(Buffer.from('a=&'.repeat(100_001))), 'too_large'],
    ['pickle', 'not of a source that hands over bytes', 'malformed'],
  ] as const)('%s %.40s is %s', (value, text, reason) => {
    expect(decode({ value }, text)).toMatchObject({ reason });
  });

  test('every kind of value in MessagePack is read or stays closed', () => {
    const all =
      'c0 c2 c3 c401ff c50001ff c600000001ff c7010100 c800010100 c90000000101 00 ca3fc00000 cb3ff8000000000000 ccff cdffff ceffffffff cfffffffffffffffff d0ff d1ffff d2ffffffff d3ffffffffffffffff d40100 d5010000 d601 00000000 d7010000000000000000 d80100000000000000000000000000000000 d90161 da000161 db0000000161 dc000100 dd0000000100 de00010000 df000000010000 ff 7f';
    const decoded = decode({ value: 'msgpack' }, bytes(`81a161dc0021${all}`)) as DecodedSession;
    const { a } = decoded.tree as { a: unknown[] };
    expect(a.filter((each) => typeof each === 'number')).toEqual([1.5, 1.5, 255, 65_535, 4_294_967_295, -1, -1, -1, -1, -1, 127]);
    expect(a).toContain(2n ** 64n - 1n);
    expect(a.slice(-7)).toEqual(['a', [0], [0], { 0: 0 }, { 0: 0 }, -1, 127]);
  });

  test('any bytes are answered, by every form', () => {
    const golden = JSON.parse(readFileSync(new URL('../../../fixtures/php/sessions.json', import.meta.url), 'utf8')) as {
      sessions: { base64: string }[];
    };
    const inputs = fc.oneof(
      fc.uint8Array(),
      fc.string().map((text) => Buffer.from(text)),
      fc.json().map((text) => Buffer.from(text)),
      fc.constantFrom(...golden.sessions).map(({ base64 }) => Buffer.from(base64, 'base64')),
    );
    const paths = { createTime: 'c', lastAccessTime: 'account.last', idleTime: 'i', expireTime: 'user.id' } as const;
    fc.assert(
      fc.property(inputs, fc.constantFrom(...MAPPED_VALUES), fc.constantFrom('s', 'ms', 'iso'), (input, value, timeUnit) => {
        const text = value === 'json' ? Buffer.from(input).toString('utf8') : textOfBytes(input);
        const result = decode({ value, timeUnit, ...paths }, text);
        expect('reason' in result || result.attributes === text).toBe(true);
      }),
      { numRuns: 3000 },
    );
  });
});
