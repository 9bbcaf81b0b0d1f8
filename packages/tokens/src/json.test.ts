import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseStrictJson } from './json.ts';

const parse = (text: string, maxDepth = 32): unknown => parseStrictJson(text, { maxDepth });

/** What JSON.parse makes of it, undefined where it throws. */
function reference(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

describe('agrees with JSON.parse', () => {
  test('on every value that has no member twice', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), fc.constantFrom(0, 1, '\t'), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        expect(JSON.stringify(parse(text))).toBe(JSON.stringify(JSON.parse(text)));
      }),
    );
  });

  test('on what is no JSON: one character changed', () => {
    const alphabet = '{}[]",:0123456789.eE+-truefalsn \t\n\\u/\u0000\u00a0'.split('');
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3 }), fc.nat(), fc.constantFrom(...alphabet), fc.boolean(), (value, at, character, replace) => {
        const text = JSON.stringify(value);
        const place = at % (text.length + 1);
        const changed = text.slice(0, place) + character + text.slice(replace ? place + 1 : place);
        const ours = parse(changed);
        if (ours !== undefined) expect(JSON.stringify(ours)).toBe(JSON.stringify(reference(changed)));
        else if (reference(changed) !== undefined) expect(isRefusedOnPurpose(changed)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  test.each([
    '',
    ' ',
    '{',
    '[1,]',
    '{"a":1,}',
    '01',
    '+1',
    '.5',
    '1.',
    '1e',
    '--1',
    'nul',
    'True',
    "'a'",
    '"\t"',
    '"\\x"',
    '"a',
    '1 2',
    '\ufeff1',
    'NaN',
    'Infinity',
    '{a:1}',
    '"\\u12"',
  ])('on %j, which is none', (text) => {
    expect(reference(text)).toBeUndefined();
    expect(parse(text)).toBeUndefined();
  });
});

describe('refuses what JSON.parse hides', () => {
  test.each([
    '{"a":1,"a":1}',
    '{"a":1,"b":2,"a":3}',
    '{"a":{"b":1,"b":2}}',
    '{"a":1,"\\u0061":2}',
    '[{"":1,"":2}]',
    '{"__proto__":1,"__proto__":2}',
  ])('a member twice: %s', (text) => {
    expect(reference(text)).toBeDefined();
    expect(parse(text)).toBeUndefined();
  });

  test.each(['1e400', '-1e400', '[1e309]'])('a number beyond a double: %s', (text) => {
    expect(parse(text)).toBeUndefined();
  });

  test.each(['"\\ud800"', '"\\udc00x"', '{"\\ud83d":1}', '"\ud800"'])('half a surrogate pair: %j', (text) => {
    expect(parse(text)).toBeUndefined();
  });

  test('more depth than allowed', () => {
    expect(parse('[[1]]', 2)).toEqual([[1]]);
    expect(parse('[[[1]]]', 2)).toBeUndefined();
    expect(parse('{"a":{"b":{}}}', 2)).toBeUndefined();
    expect(parse('['.repeat(1_000_000))).toBeUndefined();
  });
});

test('gives names of the prototype no meaning', () => {
  const value = parse('{"__proto__":{"admin":true},"constructor":1,"toString":2}') as Record<string, unknown>;
  expect(Object.getPrototypeOf(value)).toBeNull();
  expect(Object.keys(value)).toEqual(['__proto__', 'constructor', 'toString']);
  expect(value['admin']).toBeUndefined();
  expect(({} as Record<string, unknown>)['admin']).toBeUndefined();
});

/** Found without the parser under test: a number out of range, a lone surrogate, or fewer members than names were written. */
function isRefusedOnPurpose(text: string): boolean {
  let members = 0;
  let odd = false;
  JSON.parse(text, (_, value: unknown) => {
    if (typeof value === 'number' && !Number.isFinite(value)) odd = true;
    if (typeof value === 'string' && !value.isWellFormed()) odd = true;
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      members += Object.keys(value).length;
      if (Object.keys(value).some((name) => !name.isWellFormed())) odd = true;
    }
    return value;
  });
  const written = text.replaceAll(/"(?:[^"\\]|\\.)*"/g, (string, at: number) => (/^\s*:/.test(text.slice(at + string.length)) ? 'N' : 's'));
  return odd || written.split('N').length - 1 > members;
}
