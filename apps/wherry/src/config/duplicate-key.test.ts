import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { duplicateKey } from './duplicate-key.ts';

describe('duplicateKey', () => {
  it('finds none in what JSON.stringify wrote, whatever is in keys and texts', () => {
    fc.assert(
      fc.property(
        fc.jsonValue(),
        fc.constantFrom(undefined, 2),
        (value, indent) => duplicateKey(JSON.stringify(value, null, indent)) === undefined,
      ),
    );
  });

  it('finds a key that was written again, wherever its object is', () => {
    const twice = fc.property(fc.string(), fc.jsonValue(), fc.jsonValue(), fc.nat(3), (key, value, other, depth) => {
      const name = JSON.stringify(key);
      const inner = `{${name}: ${JSON.stringify(value)}, ${name} :${JSON.stringify(other)}}`;
      const json = `${'{"a": ['.repeat(depth)}${inner}${']}'.repeat(depth)}`;
      const found = duplicateKey(json);
      // An earlier member of the values cannot be double: they were written by JSON.stringify.
      return found === key;
    });
    fc.assert(twice);
  });

  it.each([['{"a":{"b":1},"b":2}'], ['[{"a":1},{"a":2}]'], ['{"a":"{\\"x\\":1,\\"x\\":2}"}'], ['{"a":"\\\\","b":"a"}']])(
    'leaves %s alone',
    (json) => {
      expect(duplicateKey(json)).toBeUndefined();
    },
  );
});
