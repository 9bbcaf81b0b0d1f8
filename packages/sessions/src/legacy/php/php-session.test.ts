import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DecodedSession, Undecodable } from '../../source/decoder.ts';
import { textOfBytes } from '../../source/text-of-bytes.ts';
import { Opaque } from '../opaque.ts';
import type { Reference } from '../reference.ts';
import { phpSessionDecoder, type PhpHandler } from './php-session.ts';

const GOLDEN = new URL('../../../fixtures/php/sessions.json', import.meta.url);
const golden = (
  JSON.parse(readFileSync(GOLDEN, 'utf8')) as { sessions: { handler: PhpHandler; session: string; base64: string }[] }
).sessions.map(({ base64, ...rest }) => ({ ...rest, bytes: Buffer.from(base64, 'base64') }));
const HANDLERS: readonly PhpHandler[] = ['php', 'php_serialize', 'php_binary'];
const identity = { userId: 'user.id', username: 'user.name', authorities: ['user.roles'] };
const decoders = new Map(HANDLERS.map((handler) => [handler, phpSessionDecoder(handler, { identity })]));

function decode(handler: PhpHandler, bytes: Uint8Array | string): DecodedSession | Undecodable {
  const result = decoders.get(handler)!(textOfBytes(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes));
  return result.ok ? result.session : result.why;
}

const EXPECTED: Record<string, object> = {
  array: { userId: '42', username: 'ada', authorities: ['ROLE_USER', 'ROLE_ADMIN'] },
  stdclass: { userId: 'u-7', username: 'Zoë 😀', authorities: ['ROLE_USER', 'ROLE_AUDIT'] },
  classes: { userId: '9223372036854775807', username: 'of the child', authorities: ['ROLE_USER', 'ROLE_OPS'] },
  references: { userId: '9', username: 'grace', authorities: [] },
  bytes: { userId: '5', username: 'ada', authorities: [] },
  'own-form': { userId: '6', username: 'alan', authorities: [] },
  anonymous: { userId: null, username: null, authorities: [] },
  empty: { userId: null, username: null, authorities: [] },
};

describe('what PHP wrote', () => {
  test.each(golden)('$session by $handler: whose it is, and the same bytes', ({ handler, session, bytes }) => {
    expect(decode(handler, bytes)).toMatchObject({ ...EXPECTED[session], attributes: textOfBytes(bytes), idleMs: null });
  });

  test.each(golden.filter(({ bytes }) => bytes.length > 0))(
    '$session by $handler is not as another handler writes',
    ({ handler, bytes }) => {
      for (const other of HANDLERS.filter((each) => each !== handler)) expect(decode(other, bytes)).toHaveProperty('reason');
    },
  );

  test('values keep their kind', () => {
    const treeOf = (name: string): Record<string, unknown> =>
      (decode('php', golden.find(({ session }) => session === name)!.bytes) as DecodedSession).tree as Record<string, unknown>;
    expect(treeOf('array')).toMatchObject({ cart: { 7: 'book', 'a|b': 1.5 }, at: 1e25 });
    expect(treeOf('stdclass')).toMatchObject({ none: null, yes: true, no: false });
    expect(treeOf('classes')).toMatchObject({ plan: 'Plan:Paid', least: -(2n ** 63n) });
    expect(treeOf('bytes')['bytes']).toBeInstanceOf(Opaque);
    expect(treeOf('own-form')['own']).toBeInstanceOf(Opaque);
    const { object } = treeOf('references') as { object: { self: Reference } };
    expect(object.self.target).toBe(object);
  });
});

describe('what nobody should write', () => {
  test.each([
    ['x', 'malformed'],
    ['x|', 'malformed'],
    ['x|i:1', 'malformed'],
    ['x|i:9223372036854775808;', 'malformed'],
    ['x|i:111111111111111111111;', 'malformed'],
    ['x|b:2;', 'malformed'],
    ['x|d:1e;', 'malformed'],
    ['x|s:5:"abc";', 'malformed'],
    ['x|s:-1:"";', 'malformed'],
    ['x|s:99999999999999999999:"";', 'malformed'],
    ['x|s:2:"abc";', 'malformed'],
    ['x|a:1:{i:0;i:1;', 'malformed'],
    ['x|a:2000000000:{i:0;i:1;}', 'malformed'],
    ['x|a:1:{d:0;i:1;}', 'malformed'],
    ['x|a:-1:{}', 'malformed'],
    ['x|r:1;', 'malformed'],
    ['x|R:1;', 'malformed'],
    ['x|i:1;y|R:2;', 'malformed'],
    ['x|a:1:{i:0;r:9;}', 'malformed'],
    ['x|r:0;', 'malformed'],
    ['x|S:1:"\\61";', 'malformed'],
    ['x|C:1:"A":99:{}', 'malformed'],
    // What an object in a form of its own holds may count among the values, so later numbers mean nothing certain.
    ['x|C:1:"A":2:{ab}user|R:1;', 'type_refused'],
    ['\xff|i:1;', 'malformed'],
  ])('%j is %s', (text, reason) => {
    expect(decode('php', text)).toMatchObject({ reason });
  });

  test('nesting, values and bytes are bounded', () => {
    const nested = (depth: number): string => `x|${'a:1:{i:0;'.repeat(depth)}i:1;${'}'.repeat(depth)}`;
    expect(decode('php', nested(32))).toHaveProperty('userId', null);
    expect(decode('php', nested(33))).toMatchObject({ reason: 'too_deep' });
    expect(decode('php', nested(40_000))).toMatchObject({ reason: 'too_deep' });
    expect(decode('php', `x|a:50001:{${'i:0;N;'.repeat(50_001)}}`)).toHaveProperty('userId', null);
    expect(
      phpSessionDecoder('php', { identity, maxBytes: 10_000_000 })(textOfBytes(Buffer.from(`x|a:100001:{${'i:0;N;'.repeat(100_001)}}`))),
    ).toMatchObject({
      why: { reason: 'too_large' },
    });
    expect(decode('php', `x|s:${2 ** 20}:"${'a'.repeat(2 ** 20)}";`)).toMatchObject({ reason: 'too_large' });
  });

  test('references that would double at every level cost what their text costs', () => {
    // Each array holds the one before it twice: 2^30 leaves for who would follow them all.
    const laughs = Array.from({ length: 30 }, (_, i) =>
      i === 0 ? 'v0|a:1:{i:0;i:7;}' : `v${i}|a:2:{i:0;r:${1 + slotOf(i - 1)};i:1;r:${1 + slotOf(i - 1)};}`,
    );
    const decoded = decode('php', laughs.join('')) as DecodedSession;
    expect(JSON.stringify(decoded.tree).length).toBeLessThan(1000);
  });

  test('names of prototypes are names like any other', () => {
    const decoded = decode(
      'php',
      'user|O:8:"stdClass":1:{s:9:"__proto__";a:1:{s:2:"id";i:1;}}__proto__|a:1:{s:4:"user";i:1;}',
    ) as DecodedSession;
    expect(decoded.userId).toBeNull();
    expect(Object.hasOwn(Object.prototype, 'id') || Object.hasOwn(Object.prototype, 'user')).toBe(false);
    const inherited = phpSessionDecoder('php', { identity: { userId: 'user.constructor.name' } });
    expect(inherited(textOfBytes(Buffer.from('user|a:0:{}')))).toMatchObject({ session: { userId: null } });
  });

  test('a text that is no UTF-8 is nobody, and never another one', () => {
    expect(decode('php', 'user|a:1:{s:2:"id";s:1:"\xe9";}')).toMatchObject({ reason: 'identity_invalid' });
  });

  test('any bytes, and any change of what PHP wrote, are answered', () => {
    const bytes = fc.oneof(
      fc.uint8Array(),
      fc.record({ at: fc.nat(), to: fc.nat(255), cut: fc.nat(40), of: fc.constantFrom(...golden) }).map(({ at, to, cut, of }) => {
        const changed = Buffer.from(of.bytes);
        if (changed.length > 0) changed[at % changed.length] = to;
        return cut > 20 ? changed.subarray(0, -cut) : changed;
      }),
      fc
        .array(fc.constantFrom('a:1:{', 'i:0;', '}', 'r:1;', 'R:2;', 's:1:"a";', 'x|', 'O:1:"A":1:{', 'N;', 'C:1:"A":0:{}'))
        .map((parts) => Buffer.from(parts.join(''))),
    );
    fc.assert(
      fc.property(bytes, fc.constantFrom(...HANDLERS), (input, handler) => {
        const result = decode(handler, input);
        expect('reason' in result || result.attributes === textOfBytes(input)).toBe(true);
      }),
      { numRuns: 3000 },
    );
  });
});

/** The first array counts itself and its number; each later one itself and two references. */
function slotOf(level: number): number {
  return level === 0 ? 0 : 2 + (level - 1) * 3;
}
