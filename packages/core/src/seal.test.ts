import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isWherryError } from './errors.ts';
import { Sealer, deriveKey } from './seal.ts';

const masterKey = randomBytes(32);
const sealer = new Sealer(masterKey, 'test');
const bytes = fc.uint8Array({ maxLength: 200 });

function refusal(open: () => unknown): boolean {
  try {
    open();
    return false;
  } catch (error) {
    return isWherryError(error, 'sealed_data_invalid');
  }
}

test('what was sealed opens in its place', () => {
  fc.assert(
    fc.property(bytes, bytes, (plain, place) => {
      expect(sealer.open(sealer.seal(plain, place), place)).toEqual(Buffer.from(plain));
    }),
  );
});

test('any changed bit, at any position, keeps it from opening', () => {
  fc.assert(
    fc.property(bytes, fc.nat(), fc.integer({ min: 0, max: 7 }), (plain, position, bit) => {
      const sealed = sealer.seal(plain, Buffer.from('place'));
      const at = position % sealed.length;
      sealed.writeUInt8(sealed.readUInt8(at) ^ (1 << bit), at);
      expect(refusal(() => sealer.open(sealed, Buffer.from('place')))).toBe(true);
    }),
  );
});

test('cut or extended data does not open', () => {
  const sealed = sealer.seal(Buffer.from('value'), Buffer.from('place'));
  for (let length = 0; length < sealed.length; length++) {
    expect(refusal(() => sealer.open(sealed.subarray(0, length), Buffer.from('place')))).toBe(true);
  }
  expect(refusal(() => sealer.open(Buffer.concat([sealed, Buffer.of(0)]), Buffer.from('place')))).toBe(true);
});

test('moved to another place, it does not open', () => {
  const [a, b] = [sealer.seal(Buffer.from('a'), Buffer.from('row 1')), sealer.seal(Buffer.from('b'), Buffer.from('row 2'))];
  expect(refusal(() => sealer.open(a, Buffer.from('row 2')))).toBe(true);
  expect(refusal(() => sealer.open(b, Buffer.from('row 1')))).toBe(true);
});

test('another purpose and another master key have other keys', () => {
  const sealed = sealer.seal(Buffer.from('a'), Buffer.alloc(0));
  expect(refusal(() => new Sealer(masterKey, 'other').open(sealed, Buffer.alloc(0)))).toBe(true);
  expect(refusal(() => new Sealer(randomBytes(32), 'test').open(sealed, Buffer.alloc(0)))).toBe(true);
  expect(new Sealer(masterKey, 'test').open(sealed, Buffer.alloc(0)).toString()).toBe('a');
  expect(new Sealer(deriveKey(masterKey, 'test')).open(sealed, Buffer.alloc(0)).toString()).toBe('a');
  expect(refusal(() => new Sealer(deriveKey(masterKey, 'other')).open(sealed, Buffer.alloc(0)))).toBe(true);
});

test('the same value is sealed differently each time', () => {
  const seals = Array.from({ length: 1000 }, () => sealer.seal(Buffer.from('a'), Buffer.alloc(0)).toString('hex'));
  expect(new Set(seals).size).toBe(1000);
});

test('a master key of another length is refused', () => {
  for (const length of [0, 16, 31, 33, 64]) expect(() => new Sealer(randomBytes(length), 'test')).toThrow(`${length} bytes`);
});
