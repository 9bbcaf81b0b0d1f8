import { createSecretKey, randomBytes } from 'node:crypto';
import { isWherryError } from '@wherry/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { carriedSessionKey, carriedSessionKeys } from '../record.ts';
import { BatchSealer } from './batch-sealer.ts';
import { SourceRefs } from './source-ref.ts';

const key = createSecretKey(randomBytes(32));
const sealer = new BatchSealer(key);
const place = fc.uint8Array({ minLength: 12, maxLength: 12 });
const values = fc.array(fc.record({ plain: fc.uint8Array({ maxLength: 100 }), place }), { maxLength: 20 });

function refusal(open: () => unknown): boolean {
  try {
    open();
    return false;
  } catch (error) {
    return isWherryError(error, 'sealed_data_invalid');
  }
}

// `open` is OpenSSL's CCM, so it judges the mode that is put together here.
test('whatever lengths a batch has, each of its values opens in its place', () => {
  fc.assert(
    fc.property(values, (batch) => {
      const sealed = sealer.seal(batch);
      expect(sealed.map((bytes, index) => sealer.open(bytes, batch[index]?.place ?? new Uint8Array()))).toEqual(
        batch.map(({ plain }) => Buffer.from(plain)),
      );
    }),
  );
});

test('a value of every length up to a few blocks opens, in a batch with one of every other', () => {
  const batch = Array.from({ length: 70 }, (_, length) => ({ plain: randomBytes(length), place: randomBytes(12) }));
  const sealed = sealer.seal(batch);
  for (const [length, value] of batch.entries()) {
    expect(sealed[length]).toHaveLength(length + 29);
    expect(sealer.open(sealed[length] ?? Buffer.alloc(0), value.place)).toEqual(value.plain);
  }
});

test('any changed bit keeps it from opening, and so does another place', () => {
  const there = randomBytes(12);
  const [sealed = Buffer.alloc(0)] = sealer.seal([{ plain: randomBytes(40), place: there }]);
  for (let bit = 0; bit < sealed.length * 8; bit++) {
    const changed = Buffer.from(sealed);
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    expect(refusal(() => sealer.open(changed, there))).toBe(true);
  }
  for (let byte = 0; byte < there.length; byte++) {
    const elsewhere = Buffer.from(there);
    elsewhere[byte] = (elsewhere[byte] ?? 0) ^ 1;
    expect(refusal(() => sealer.open(sealed, elsewhere))).toBe(true);
  }
  for (let length = 0; length < sealed.length; length++) expect(refusal(() => sealer.open(sealed.subarray(0, length), there))).toBe(true);
  expect(refusal(() => new BatchSealer(createSecretKey(randomBytes(32))).open(sealed, there))).toBe(true);
  expect(sealer.open(sealed, there)).toHaveLength(40);
});

test('the same value is sealed differently each time, in one batch too', () => {
  const same = { plain: Buffer.from('ada'), place: Buffer.alloc(12) };
  const seals = [...sealer.seal(Array.from({ length: 500 }, () => same)), ...sealer.seal(Array.from({ length: 500 }, () => same))];
  expect(new Set(seals.map((bytes) => bytes.toString('hex'))).size).toBe(1000);
});

test('ids of carried-over sessions open however they were sealed, long ones among short ones', () => {
  const refs = new SourceRefs(key);
  const rawIds = ['a', '', 'x'.repeat(257), 'é'.repeat(128), 'é'.repeat(129), randomBytes(24).toString('base64url'), 'y'.repeat(100_000)];
  const ids = rawIds.map((rawId) => ({ rawId, key: carriedSessionKey(rawId) }));
  const keys = carriedSessionKeys(rawIds);
  expect(keys).toEqual(ids.map(({ key }) => key));
  const sealed = refs.sealMany(keys, rawIds);
  expect(sealed.map((bytes, index) => refs.open(keys[index] ?? { slot: 0, id: 0n }, bytes))).toEqual(rawIds);
  expect(ids.map((id) => refs.open(id.key, refs.seal(id.key, id.rawId)))).toEqual(ids.map(({ rawId }) => rawId));
  for (const bytes of sealed) expect(refusal(() => refs.open({ slot: 7, id: 7n }, bytes))).toBe(true);
});
