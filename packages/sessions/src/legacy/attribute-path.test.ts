import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { itemsOf, parsePath, valueAt, valuesAt } from './attribute-path.ts';
import { identityOf } from './identity-mapping.ts';
import { Reference } from './reference.ts';

const escaped = (name: string): string => name.replaceAll(/[\\.[\]]/g, String.raw`\$&`);

describe('a path into a session', () => {
  test('leads through names of any characters, escaped', () => {
    const names = fc.array(fc.string({ unit: 'binary', minLength: 1 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(names, (path) => {
        const root = path.reduceRight<unknown>((inner, name) => Object.fromEntries([[name, inner]]), 'found');
        expect(valueAt(root, parsePath(path.map(escaped).join('.')))).toBe('found');
      }),
    );
  });

  test.each(['', '.', 'a.', '.a', 'a..b', '[]', 'a.[]', 'a[]b', 'a\\'])('%j is none', (text) => {
    expect(() => parsePath(text)).toThrow(expect.objectContaining({ code: 'config_invalid' }));
  });

  test('never leads to what was not stored', () => {
    const sources = [{}, [], Object.create(null) as object, 'text', 7, null];
    for (const root of sources)
      for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty', '__proto__.polluted'])
        expect(valueAt(root, parsePath(name))).toBeUndefined();
    expect(valueAt(new Reference({ value: { a: 1 } }), parsePath('target'))).toBeUndefined();
    expect(valueAt(JSON.parse('{"__proto__":{"id":7}}'), parsePath('__proto__.id'))).toBe(7);
  });

  test('goes over lists, through what occurs again, and stops where that multiplies', () => {
    const roles = [{ name: 'a' }, new Reference({ value: { name: 'b' } }), { other: 1 }, 'c'];
    expect(valuesAt({ user: new Reference({ value: { roles } }) }, parsePath('user.roles[].name'))).toEqual(['a', 'b']);
    expect(valuesAt({ grid: [[1, 2], [3]] }, parsePath('grid[][]'))).toEqual([1, 2, 3]);
    const wide: unknown[] = [];
    for (let i = 0; i < 1000; i++) wide.push(new Reference({ value: wide }));
    expect(valuesAt({ wide }, parsePath('wide[][][][][][][]'))).toBeNull();
  });

  test('a list of PHP with gaps is a list, an object with one name is none', () => {
    expect(itemsOf({ 0: 'a', 2: 'b' })).toEqual(['a', 'b']);
    expect(itemsOf({ 0: 'a', name: 'b' })).toBeUndefined();
    expect(itemsOf({})).toBeUndefined();
  });
});

describe('an identity', () => {
  test('takes authorities from objects in lists, ids of 64 bits, and names that hold dots', () => {
    const session = { 'app.user': { id: 2n ** 63n - 1n, roles: { 1: { name: 'ROLE_A' }, 3: { name: 'ROLE_B, ROLE_C' } } } };
    const mapping = { userId: 'app\\.user.id', authorities: ['app\\.user.roles[].name', 'none[].at.all'] };
    expect(identityOf(session, mapping)).toEqual({
      userId: '9223372036854775807',
      username: null,
      authorities: ['ROLE_A', 'ROLE_B', 'ROLE_C'],
    });
  });

  test('refuses authorities that are no texts, and more of them than anybody has', () => {
    const mapping = { userId: 'id', authorities: ['roles[].name'] };
    expect(() => identityOf({ id: 'u', roles: [{ name: 7 }] }, mapping)).toThrow('"roles[].name" is neither');
    expect(() => identityOf({ id: 'u', roles: [{ name: {} }] }, mapping)).toThrow('"roles[].name" is neither');
    const roles = Array.from({ length: 1001 }, (_, i) => ({ name: `r${i}` }));
    expect(() => identityOf({ id: 'u', roles }, mapping)).toThrow('more than 1000 authorities');
    expect(() => identityOf({ id: 'u', roles: Array.from({ length: 10_001 }, () => ({ name: 'r' })) }, mapping)).toThrow('too many values');
  });
});
