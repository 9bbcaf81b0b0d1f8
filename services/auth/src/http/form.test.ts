import { isWherryError } from '@wherry/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readForm } from './form.ts';

describe('a form', () => {
  it('is read as it was written', () => {
    const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).filter((value) => value.isWellFormed());
    fc.assert(
      fc.property(fc.dictionary(text, text, { maxKeys: 8 }), (parameters) => {
        expect(Object.fromEntries(readForm(new URLSearchParams(parameters).toString()))).toEqual({ ...parameters });
      }),
    );
  });

  it.each(['a=1&a=1', 'a=&a=1', 'a=1&b=2&%61=3', 'a&a'])('%j is refused: a parameter comes twice', (body) => {
    expect(() => readForm(body)).toThrow(expect.toSatisfy((error: unknown) => isWherryError(error, 'bad_request')));
  });

  it('leaves out what has no value', () => {
    expect([...readForm('a=&b=1&c')]).toEqual([['b', '1']]);
  });
});
