import { createHmac } from 'node:crypto';
import { deriveKey } from '@wherry/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { RevocationChange } from '../change.ts';
import { openEntry, sealEntry } from './entry.ts';

const key = deriveKey(Buffer.alloc(32, 1), 'revocation-stream');
const change: fc.Arbitrary<RevocationChange> = fc.record({
  kind: fc.constantFrom('session', 'session_tokens', 'family', 'token', 'user', 'disabled', 'issuer'),
  key: fc.string({ unit: 'binary', maxLength: 20 }),
  value: fc.nat(),
  seq: fc.bigInt({ min: 1n, max: 2n ** 53n - 1n }),
});
const entry = fc.record({ at: fc.nat(), changes: fc.array(change, { maxLength: 5 }) });

test('what is written is what is read', () => {
  fc.assert(
    fc.property(entry, (given) => {
      expect(openEntry(key, 'stream', sealEntry(key, 'stream', given))).toEqual(given);
    }),
  );
});

test('nothing that was altered, moved or made under another key is read', () => {
  const altered = fc.tuple(entry, fc.nat(), fc.integer({ min: 1, max: 255 }), fc.boolean());
  fc.assert(
    fc.property(altered, ([given, at, by, inPayload]) => {
      const sealed = sealEntry(key, 'stream', given);
      const bytes = inPayload ? Buffer.from(sealed.payload, 'latin1') : Buffer.from(sealed.mac, 'base64url');
      bytes[at % bytes.length] = (bytes[at % bytes.length] ?? 0) ^ by;
      const changed = inPayload ? { ...sealed, payload: bytes.toString('latin1') } : { ...sealed, mac: bytes.toString('base64url') };
      expect(openEntry(key, 'stream', changed)).toBeUndefined();
      expect(openEntry(key, 'another', sealed)).toBeUndefined();
      expect(openEntry(deriveKey(Buffer.alloc(32, 2), 'revocation-stream'), 'stream', sealed)).toBeUndefined();
      expect(openEntry(key, 'stream', { ...sealed, mac: '' })).toBeUndefined();
    }),
  );
});

test('what a later version writes is left alone', () => {
  const sealed = (payload: string): { payload: string; mac: string } => ({
    payload,
    mac: createHmac('sha256', key).update('"stream"').update(payload).digest('base64url'),
  });
  expect(openEntry(key, 'stream', sealed('[2,0,{"other":"form"}]'))).toBeUndefined();
  expect(openEntry(key, 'stream', sealed('[1,7,[["planet","x",1,1],["session","5",0,2]]]'))).toEqual({
    at: 7,
    changes: [{ kind: 'session', key: '5', value: 0, seq: 2n }],
  });
});
