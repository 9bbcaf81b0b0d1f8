import { expect, test } from 'vitest';
import { classifyCredential } from './credential.ts';
import { mintSessionToken } from './session-token.ts';

test.each([
  ['eyJhbGciOiJFUzI1NiJ9.e30.c2ln', 'jwt'],
  ['eyJhbGciOiJub25lIn0.e30.', 'jwt'],
  ['..', 'jwt'],
  ['st_a.b.c', 'jwt'],
  [mintSessionToken(1n).token, 'session-token'],
  ['st_', 'session-token'],
  ['', 'unknown'],
  ['a.b', 'unknown'],
  ['a.b.c.d', 'unknown'],
  ['a.b.c.d.e', 'unknown'],
  ['ST_abc', 'unknown'],
  ['s:abc', 'unknown'],
])('%j is told as %s', (text, kind) => {
  expect(classifyCredential(text)).toBe(kind);
});
