import { isWherryError } from '@wherry/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readForm } from './form.ts';

describe('a form', () => {
  it('is read as it was written', () => {
    const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).filter((value) => value.isWellFormed());
    fc.assert(
      fc.property(fc.dictionary(text, text, { maxKeys: 8 }), (parameters) => {
        const form = readForm(new URLSearchParams(parameters).toString());
        for (const [name, value] of Object.entries(parameters)) expect([form.get(name), form.required(name)]).toEqual([value, value]);
      }),
    );
  });

  it.each(['a=1&a=1', 'a=&a=1', 'a=1&b=2&%61=3', 'a&a'])('%j is refused: a parameter comes twice', (body) => {
    expect(() => readForm(body)).toThrow(expect.toSatisfy((error: unknown) => isWherryError(error, 'bad_request')));
    expect(() => readForm(body, new Set(['b']))).toThrow(expect.toSatisfy((error: unknown) => isWherryError(error, 'bad_request')));
  });

  it('leaves out what has no value', () => {
    const form = readForm('a=&b=1&c');
    expect(['a', 'b', 'c'].map((name) => form.has(name))).toEqual([false, true, false]);
    expect(() => form.required('a')).toThrow('a is missing');
  });

  it('lets be repeated what may be, in its order', () => {
    const form = readForm('b=2&a=3&b=&b=1', new Set(['b']));
    expect([form.all('b'), form.all('a'), form.all('c')]).toEqual([['2', '1'], ['3'], []]);
  });
});
