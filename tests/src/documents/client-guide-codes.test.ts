import { ERROR_CODES } from '@wherry/core';
import { expect, test } from 'vitest';
import { pageOf } from './testing/page.ts';

const page = pageOf('8-client-guide.md');
/** Told to those who authenticate a client, or who log in: by another rule of the page, or by none. */
const ELSEWHERE = new Set(['client_unauthenticated', 'login_failed']);

const codes = Object.entries(ERROR_CODES)
  .filter(([code, { status }]) => status === 401 && !ELSEWHERE.has(code))
  .map(([code]) => code);

test.each(codes)('teams of clients are told what to do about %s', (code) => {
  expect(page.includes(`\`${code}\``)).toBe(true);
});

test('every code that the page names in a table of answers exists', () => {
  const tables = page.slice(page.indexOf('## What to do with an answer'), page.indexOf('## Log-out'));
  const named = [...tables.matchAll(/`([a-z]+(?:_[a-z]+)+)`/g)].map(([, code = '']) => code);
  const oauth = /^(invalid_\w+|unsupported_grant_type|unauthorized_client|use_dpop_nonce)$/;
  expect(named.filter((code) => !(code in ERROR_CODES) && !oauth.test(code) && code !== 'expires_in')).toEqual([]);
});
