import { hkdfSync, randomBytes } from 'node:crypto';
import { Sealer } from '@wherry/core';
import { expect, test } from 'vitest';
import { SourceRefs } from './carried/source-ref.ts';
import { parseSourceRefKey, sourceRefKeyFingerprint, sourceRefKeyOf, sourceRefKeyText } from './source-ref-key.ts';

const PLACE = { slot: 7, id: 12n };

test('what an application seals with its key the services open with the master key, and the other way round', () => {
  const masterKey = randomBytes(32);
  const application = new SourceRefs(parseSourceRefKey(sourceRefKeyText(sourceRefKeyOf(masterKey))));
  const service = new SourceRefs(sourceRefKeyOf(masterKey));
  expect(service.open(PLACE, application.seal(PLACE, 'an id'))).toBe('an id');
  expect(application.open(PLACE, service.seal(PLACE, 'an id'))).toBe('an id');
});

test('what was sealed before keys were handed over stays readable', () => {
  const masterKey = Buffer.alloc(32, 7);
  const derived = Buffer.from(hkdfSync('sha256', masterKey, Buffer.alloc(0), 'wherry source-ref', 32));
  expect(sourceRefKeyOf(masterKey).export()).toEqual(derived);
});

test('the key of an application opens nothing that was sealed for another purpose', () => {
  const masterKey = randomBytes(32);
  const key = sourceRefKeyOf(masterKey);
  const signingKey = new Sealer(masterKey, 'signing-key').seal(Buffer.from('private'), Buffer.from('kid'));
  // Neither as it is, nor taken for a master key.
  for (const sealer of [new Sealer(key), new Sealer(key.export(), 'signing-key')])
    expect(() => sealer.open(signingKey, Buffer.from('kid'))).toThrow('does not open');
});

test('its text is taken in one form only, and its fingerprint tells keys apart', () => {
  const masterKey = randomBytes(32);
  const text = sourceRefKeyText(sourceRefKeyOf(masterKey));
  expect(text).toMatch(/^srk1\.[\w-]{43}$/);
  for (const wrong of ['', 'srk1.', text.slice(5), text.slice(0, -1), `${text}A`, `${text}=`, ` ${text}`, masterKey.toString('base64')])
    expect(() => parseSourceRefKey(wrong)).toThrow('has another form');
  const fingerprint = sourceRefKeyFingerprint(parseSourceRefKey(text));
  expect(fingerprint).toBe(sourceRefKeyFingerprint(sourceRefKeyOf(masterKey)));
  expect(fingerprint).not.toBe(sourceRefKeyFingerprint(sourceRefKeyOf(randomBytes(32))));
});
