import { readFileSync } from 'node:fs';
import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DecodedSession, Undecodable } from '../../source/decoder.ts';
import { textOfBytes } from '../../source/text-of-bytes.ts';
import type { Reference } from '../reference.ts';
import { djangoCacheDecoder, djangoSignedDecoder } from './django-session.ts';

interface Written {
  readonly form: 'cache' | 'signed';
  readonly cache: string;
  readonly session: string;
  readonly base64: string;
}

const GOLDEN = new URL('../../../fixtures/django/sessions.json', import.meta.url);
const golden = (JSON.parse(readFileSync(GOLDEN, 'utf8')) as { sessions: Written[] }).sessions.map(({ base64, ...rest }) => ({
  ...rest,
  bytes: Buffer.from(base64, 'base64'),
}));
const identity = { userId: '_auth_user_id', authorities: ['roles'] };
const decoders = { cache: djangoCacheDecoder({ identity }), signed: djangoSignedDecoder({ identity }) };

function decode(form: Written['form'], bytes: Uint8Array): DecodedSession | Undecodable {
  const result = decoders[form](textOfBytes(bytes));
  return result.ok ? result.session : result.why;
}

function treeOf(cache: string, session: string): Record<string, unknown> {
  const { form, bytes } = golden.find((each) => each.cache === cache && each.session === session)!;
  return (decode(form, bytes) as DecodedSession).tree as Record<string, unknown>;
}

const EXPECTED: Readonly<Record<string, object>> = {
  idle: { userId: '42', idleMs: 1_800_000 },
  until: { userId: '42', idleMs: null, expireTime: Date.parse('2031-01-02T03:04:05.000Z') },
  anonymous: { userId: null },
  empty: { userId: null },
  shared: { userId: '42', authorities: ['ROLE_USER'] },
};

describe('what Django wrote', () => {
  test.each(golden.filter(({ session }) => session !== 'unknown class'))(
    '$session, $form by $cache: whose it is, and the same bytes',
    (written) => {
      const { form, session, bytes } = written;
      expect(decode(form, bytes)).toMatchObject({ userId: '42', idleMs: null, ...EXPECTED[session], attributes: textOfBytes(bytes) });
      expect(decode(form === 'cache' ? 'signed' : 'cache', bytes)).toHaveProperty('reason');
    },
  );

  test('values keep their kind, in every protocol', () => {
    const plain = { cart: { 7: 2, book: [1, 2.5, null, true, false] }, big: 2n ** 63n, negative: -70_000, long: 300, text: 'Zoë 😀' };
    for (const cache of ['default', 'zlib', 'pickle0', 'pickle1', 'pickle2', 'pickle3', 'pickle4', 'pickle5', 'PickleSerializer'])
      expect(treeOf(cache, 'plain')).toMatchObject(plain);
    for (const cache of ['json', 'JSONSerializer']) expect(treeOf(cache, 'plain')).toMatchObject({ ...plain, big: 2 ** 63 });
  });

  test('types without a meaning here stay closed, in every protocol', () => {
    for (const cache of ['default', 'zlib', 'pickle0', 'pickle1', 'pickle2', 'pickle3', 'pickle4', 'pickle5']) {
      const tree = treeOf(cache, 'types');
      expect(JSON.parse(JSON.stringify(tree))).toMatchObject({
        tuple: [1, 'two', [3], []],
        at: {},
        day: {},
        left: {},
        price: {},
        huge: {},
      });
      expect([tree['set'], tree['frozen'], tree['numbers']]).toEqual([['x'], ['y'], { 1: 'one', 2: 'two' }]);
      const loop = treeOf(cache, 'loop')['self'] as Record<string, unknown>;
      expect((loop['self'] as Reference).target).toBe(loop);
    }
    expect(treeOf('default', 'types')['ordered']).toEqual({ a: 1, b: 2 });
  });

  test('a class of the application is not looked for', () => {
    const { bytes } = golden.find(({ session }) => session === 'unknown class')!;
    expect(decode('cache', bytes)).toMatchObject({ reason: 'type_refused' });
  });
});

const pickle = (text: string): Buffer => Buffer.from(text, 'latin1');
const signed = (payload: Buffer, packed: boolean): Buffer =>
  Buffer.from(`${packed ? '.' : ''}${payload.toString('base64url')}:1sXyZ0:${'A'.repeat(43)}`);

describe('what nobody should write', () => {
  test.each([
    ['cos\nsystem\n(S"id"\ntR.', 'type_refused'],
    ['\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02id\x85R.', 'type_refused'],
    ['\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85R.', 'type_refused'],
    ['cdatetime\nos.system\n.', 'type_refused'],
    // The name of an allowed type, reached through what is no name.
    ['\x80\x04}\x8c\x03set\x93)R.', 'type_refused'],
    ['}(}tR.', 'type_refused'],
    ['(S"ls"\nios\nsystem\n.', 'type_refused'],
    ['(c__builtin__\nset\no.', 'type_refused'],
    ['c__builtin__\nset\n)\x81.', 'type_refused'],
    ['c__builtin__\nset\n}b.', 'type_refused'],
    ['\x82\x01.', 'type_refused'],
    ['Pid\n.', 'type_refused'],
    ['}Q.', 'type_refused'],
    ['\x97.', 'type_refused'],
    ['\x80\x06}.', 'malformed'],
    ['', 'malformed'],
    ['}', 'malformed'],
    ['}}.', 'malformed'],
    ['}.x', 'malformed'],
    ['(}.', 'malformed'],
    ['.', 'malformed'],
    ['u.', 'malformed'],
    ['}(U\x01au.', 'malformed'],
    [']U\x01aU\x01bs.', 'malformed'],
    ['}h\x00s.', 'malformed'],
    ['\x8d\xff\xff\xff\xff\xff\xff\xff\xff.', 'malformed'],
    ['X\xff\xff\xff\xffa.', 'malformed'],
    ['\x8b\xff\xff\xff\xff.', 'malformed'],
    ['I1', 'malformed'],
    ['Ix\n.', 'malformed'],
    [']q\x00h\x00U\x01aa.', 'malformed'],
    [']2U\x01aa.', 'malformed'],
    [').', 'not_a_session'],
    ['].', 'not_a_session'],
    ['}q\x00h\x00\x86.', 'not_a_session'],
    ['K\x07.', 'not_a_session'],
    ['{"a":1', 'not_json'],
    ['{"a":"\xff"}', 'not_json'],
    ['x\x9c0000', 'malformed'],
  ])('%j is %s', (text, reason) => {
    expect(decode('cache', pickle(text))).toMatchObject({ reason });
  });

  test('nesting, values and bytes are bounded, also of what is unpacked', () => {
    const nested = (depth: number): Buffer => pickle(`}U\x01a${']'.repeat(depth)}${'a'.repeat(depth - 1)}s.`);
    expect(decode('cache', nested(31))).toHaveProperty('userId', null);
    expect(decode('cache', nested(32))).toMatchObject({ reason: 'too_deep' });
    expect(decode('cache', pickle(`}(${'N'.repeat(100_001)}`))).toMatchObject({ reason: 'too_large' });
    expect(decode('cache', pickle('}'.repeat(600_000)))).toMatchObject({ reason: 'too_large' });
    const bomb = deflateSync(Buffer.alloc(50_000_000, 'a'));
    expect(bomb.length).toBeLessThan(100_000);
    expect(decode('cache', bomb)).toMatchObject({ reason: 'too_large' });
    expect(decode('signed', signed(bomb, true))).toMatchObject({ reason: 'too_large' });
    const json = (depth: number): Buffer => Buffer.from(`{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`);
    expect(decode('signed', signed(json(31), false))).toHaveProperty('userId', null);
    expect(decode('signed', signed(json(32), false))).toMatchObject({ reason: 'too_deep' });
  });

  test('a memo that would double at every level costs what its bytes cost', () => {
    const levels = Array.from(
      { length: 60 },
      (_, i) => `]q${String.fromCharCode(i + 1)}(h${String.fromCharCode(i)}h${String.fromCharCode(i)}e0`,
    );
    const bytes = pickle(`]q\x00(K\x01e0${levels.join('')}}U\x01ah\x3cs.`);
    const decoded = decode('cache', bytes) as DecodedSession;
    expect(JSON.stringify(decoded.tree)).toBe('{"a":{}}');
  });

  test('names of prototypes are names like any other', () => {
    const decoded = decode('cache', pickle('}U\x09__proto__}U\x0d_auth_user_idU\x01xss.')) as DecodedSession;
    expect(decoded.userId).toBeNull();
    expect(Object.hasOwn(Object.prototype, '_auth_user_id')).toBe(false);
  });

  test('what is not signed as Django signs is none', () => {
    for (const text of [
      '',
      'a',
      'a:b',
      `a:b:${'c'.repeat(43)}:d`,
      `..a:b:${'c'.repeat(43)}`,
      `a:b:${'c'.repeat(43)}\n`,
      `é:b:${'c'.repeat(43)}`,
    ])
      expect(decode('signed', Buffer.from(text))).toMatchObject({ reason: 'malformed' });
  });

  test('any bytes, and any change of what Django wrote, are answered', () => {
    const opcodes = fc.constantFrom(
      '(',
      ']',
      '}',
      ')',
      'a',
      'e',
      's',
      'u',
      't',
      'd',
      'l',
      '\x85',
      '\x86',
      '2',
      '0',
      '1',
      'h\x00',
      'q\x00',
      '\x94',
      'K\x01',
      'U\x01a',
      'N',
      'R',
      '\x93',
      'c__builtin__\nset\n',
      '\x8f',
      '\x90',
      '\x91',
      '.',
    );
    const bytes = fc.oneof(
      fc.uint8Array(),
      fc.record({ at: fc.nat(), to: fc.nat(255), cut: fc.nat(40), of: fc.constantFrom(...golden) }).map(({ at, to, cut, of }) => {
        const changed = Buffer.from(of.bytes);
        changed[at % changed.length] = to;
        return cut > 20 ? changed.subarray(0, -cut) : changed;
      }),
      fc.array(opcodes, { maxLength: 40 }).map((parts) => pickle(`${parts.join('')}.`)),
    );
    fc.assert(
      fc.property(bytes, fc.constantFrom('cache', 'signed'), (input, form) => {
        const result = decode(form, input);
        if ('reason' in result) return;
        expect(result.attributes).toBe(textOfBytes(input));
        // No walk through it is endless.
        expect(JSON.stringify(result.tree, (_key, value: unknown) => (typeof value === 'bigint' ? '' : value)).length).toBeLessThan(
          1_000_000,
        );
      }),
      { numRuns: 4000 },
    );
  });
});
