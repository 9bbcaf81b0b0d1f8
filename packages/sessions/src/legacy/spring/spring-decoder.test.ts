import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { IdentityMapping } from '../identity-mapping.ts';
import { Opaque } from '../opaque.ts';
import { Reference } from '../reference.ts';
import { fieldsOfText, textOfFields } from './fields-text.ts';
import { springRedis } from './formats.ts';
import { indexedNameOf, springDecoder } from './spring-decoder.ts';
import { GOLDEN, goldenFields } from './testing.ts';

const identity = springRedis.identity as IdentityMapping;
const decode = springDecoder({ identity });
const golden = (name: string, id: string) => decode(textOfFields(goldenFields(name, id)));
const CONTEXT = 'sessionAttr:SPRING_SECURITY_CONTEXT';

/** A session of Jackson's with these fields besides its times. */
function json(fields: Readonly<Record<string, unknown>>): string {
  const all = { creationTime: 1_700_000_000_000, maxInactiveInterval: 1800, ...fields };
  return textOfFields(new Map(Object.entries(all).map(([name, value]) => [name, Buffer.from(JSON.stringify(value))])));
}

describe('sessions that Spring wrote', () => {
  test.each(GOLDEN)('%s: users, authorities and times', (name) => {
    const session = { idleMs: 1_800_000, userId: 'ada', username: 'ada', authorities: ['ROLE_ADMIN', 'ROLE_USER'] };
    expect(golden(name, 'ada')).toMatchObject({ ok: true, session });
    expect(golden(name, 'grace')).toMatchObject({ ok: true, session: { userId: 'grace', authorities: ['OIDC_USER'] } });
    expect(golden(name, 'guest')).toMatchObject({ ok: true, session: { idleMs: 600_000, userId: null, authorities: [] } });
    expect(indexedNameOf(goldenFields(name, 'grace'))).toBe('grace');
    expect(indexedNameOf(goldenFields(name, 'guest'))).toBeUndefined();
  });

  test.each(['indexed-jdk', 'indexed-json'])('%s: without an end, and ended', (name) => {
    expect(golden(name, 'never')).toMatchObject({ ok: true, session: { idleMs: null, userId: 'alan' } });
    expect(golden(name, 'over')).toMatchObject({ ok: true, session: { idleMs: 0 } });
  });

  test('all types of the JDK that applications use mean what they are', () => {
    const decoded = golden('indexed-jdk', 'ada');
    const tree = (decoded.ok ? decoded.session.tree : {}) as Record<string, unknown>;
    expect(tree).toMatchObject({
      address: { street: 'Rue', number: 3 },
      cart: { lines: ['bread', null, 'milk'], large: -(2n ** 63n), letter: 'é', truth: true, twice: Math.PI },
      colour: 'GREEN',
      concurrent: { k: 'v' },
      date: '2026-01-02T03:04:05.678Z',
      day: '2026-12-31',
      decimal: '-12.50',
      deque: ['a', 'b'],
      emptyList: [],
      emptyMap: {},
      huge: 2n ** 60n,
      instant: '2026-01-02T03:04:05.678Z',
      instantBefore: '1969-12-31T23:59:59.000000005Z',
      integer: -123_456_789_012_345_678_901_234_567_890n,
      large: 2 ** 40,
      listOfMany: ['a', 'b', 'c'],
      local: '2026-01-02T03:04:00',
      localNanos: '2026-01-02T03:04:05.000000006',
      mapOf: { k: 'v' },
      setOf: ['a'],
      singletonMap: { k: 'v' },
      synchronizedList: ['a'],
      text: 'Zoë "😀" \0 \ud800 end',
      texts: [['a'], null, []],
      treeMap: { a: 1, b: 2 },
      treeSet: ['a', 'b'],
      type: 'java.lang.String',
      unmodifiableMap: { k: 'v' },
      uuid: '00000000-0000-0001-0000-000000000002',
    });
    expect(tree['long text']).toBe('é'.repeat(33_000));
    expect(tree['bytes']).toBeInstanceOf(Opaque);
    expect((tree['self'] as unknown[])[0]).toBeInstanceOf(Reference);
    expect(Object.keys(tree['oddMap'] as object)).toEqual(['1', 'null', '__proto__']);
  });

  test('what comes out is the text that went in, and the fields again', () => {
    for (const name of GOLDEN) {
      const fields = goldenFields(name, 'ada');
      const text = textOfFields(fields);
      const decoded = decode(text);
      expect(decoded.ok && decoded.session.attributes).toBe(text);
      fields.delete('lastAccessedTime');
      expect(fieldsOfText(text)).toEqual(new Map([...fields].toSorted(([a], [b]) => (a < b ? -1 : 1))));
    }
  });
});

describe('whose a session is', () => {
  const context = (authentication: object): string =>
    json({ [CONTEXT]: { '@class': 'org.springframework.security.core.context.SecurityContextImpl', authentication } });

  test('a text is its own name; one that was not checked, and nothing, are nobody', () => {
    expect(decode(context({ principal: 'ada', authenticated: true }))).toMatchObject({ session: { userId: 'ada' } });
    expect(decode(context({ principal: 'ada', authenticated: false }))).toMatchObject({ ok: true, session: { userId: null } });
    expect(decode(json({ [CONTEXT]: null }))).toMatchObject({ ok: true, session: { userId: null } });
  });

  test('of a class of the application nobody guesses the name: the mapping has to say it', () => {
    const member = context({ principal: { '@class': 'example.Member', username: 'ada', id: 7 } });
    expect(decode(member)).toMatchObject({ ok: false, why: { reason: 'identity_invalid' } });
    const mapped = springDecoder({ identity: { userId: 'SPRING_SECURITY_CONTEXT.authentication.principal.id' } });
    expect(mapped(member)).toMatchObject({ ok: true, session: { userId: '7' } });
  });

  test('a list of texts that look like types is no list of types', () => {
    const list = json({ 'sessionAttr:list': ['java.util.ArrayList', ['com.example.Type', 'x']] });
    expect(decode(list)).toMatchObject({ session: { tree: { list: ['com.example.Type', 'x'] } } });
  });
});

describe('what is no session of Spring', () => {
  test.each([
    ['', 'not_a_session'],
    ['{}', 'not_a_session'],
    ['{"cookie":{}}', 'not_a_session'],
    ['{"creationTime":"t:1","maxInactiveInterval":"t:\\"x\\""}', 'not_a_session'],
    ['{"creationTime":"t:1","maxInactiveInterval":"x"}', 'not_a_session'],
    ['{"creationTime":"t:1","maxInactiveInterval":"b:AA"}', 'not_a_session'],
    ['{"creationTime":"t:1","maxInactiveInterval":"t:1","lastAccessedTime":"t:1"}', 'not_a_session'],
    ['{"creationTime":"t:1","maxInactiveInterval":"t:1","sessionAttr:a":"t:nonsense"}', 'malformed'],
    ['{"creationTime":"t:1","maxInactiveInterval":"t:1","sessionAttr:a":"b:rO0ABQ=="}', 'malformed'],
    [`{"creationTime":"t:1","maxInactiveInterval":"t:1","sessionAttr:a":"t:${'['.repeat(40)}"}`, 'too_deep'],
    [json({ 'sessionAttr:a': 'x'.repeat(600_000) }), 'too_large'],
  ])('%#', (text, reason) => {
    expect(decode(text)).toMatchObject({ ok: false, why: { reason } });
  });

  test('any text, and any damage to real data, is answered without a throw', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(decode(text).ok).toBe(false);
      }),
    );
    const names = fc.constantFrom('plain-jdk', 'plain-json');
    const real = Object.fromEntries(
      ['plain-jdk', 'plain-json'].flatMap((name) => ['ada', 'grace'].map((id) => [`${name}:${id}`, goldenFields(name, id)] as const)),
    );
    const damage = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(names, fc.constantFrom('ada', 'grace'), damage, fc.nat({ max: 3 }), (name, id, changes, cut) => {
        const fields = new Map(real[`${name}:${id}`]);
        const bytes = Buffer.from(fields.get(CONTEXT) ?? '');
        for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
        fields.set(CONTEXT, cut === 0 ? bytes.subarray(0, (changes[0]?.[0] ?? 0) % bytes.length) : bytes);
        expect(typeof decode(textOfFields(fields)).ok).toBe('boolean');
      }),
      { numRuns: 1000 },
    );
  });
});
