import { expect, test } from 'vitest';
import { digestOf, newCredential, siblingCredential } from './credential.ts';
import { openSuccessor, sealSuccessor } from './successor.ts';

const presented = newCredential('credential', 5n);
const successor = siblingCredential(presented);
const sealed = sealSuccessor(presented, successor);
const digest = digestOf(successor.secret);

test('the presented credential opens its successor', () => {
  expect(openSuccessor(presented, sealed, digest)).toEqual(successor);
  expect(sealSuccessor(presented, successor)).not.toEqual(sealed);
  expect(sealed.includes(successor.secret)).toBe(false);
});

test.each([
  ['what the row has: digests', { ...presented, secret: digestOf(presented.secret).subarray(0, 24) }, sealed, digest],
  ['another credential of the family', siblingCredential(presented), sealed, digest],
  ['the successor itself', successor, sealed, digest],
  ['the same secret in another family', { ...presented, familyId: presented.familyId ^ 2n }, sealed, digest],
  ['the same secret in another session', { ...presented, sessionId: 6n }, sealed, digest],
  ['an altered seal', presented, Buffer.from(sealed.map((byte, i) => (i === 20 ? byte ^ 1 : byte))), digest],
  ['a cut seal', presented, sealed.subarray(0, 20), digest],
  ['a seal of what is not current any more', presented, sealed, digestOf(presented.secret)],
])('%s opens nothing', (_, credential, bytes, expected) => {
  expect(() => openSuccessor(credential, bytes, expected)).toThrowError(expect.objectContaining({ code: 'sealed_data_invalid' }));
});
