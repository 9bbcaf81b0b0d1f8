import { expect, test } from 'vitest';
import { ERROR_CODES } from './error-codes.ts';
import { WherryError, asWherryError, isWherryError, problemOf } from './errors.ts';

test('codes are snake case, in alphabetical order, with a status and a sentence each', () => {
  const codes = Object.keys(ERROR_CODES);
  expect(codes).toEqual(codes.toSorted());
  for (const [code, { status, meaning }] of Object.entries(ERROR_CODES)) {
    expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/);
    expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(600);
    expect(meaning).toMatch(/^[A-Z].+\.$/s);
  }
});

test('an error carries its code, its status, its data and its cause', () => {
  const cause = new Error('below');
  const error = new WherryError('not_found', 'no such slot', { cause, data: { slot: 3 } });
  expect(error).toMatchObject({ name: 'WherryError', code: 'not_found', status: 404, data: { slot: 3 }, cause, retryAfter: undefined });
  expect('cause' in new WherryError('not_found', 'no such slot')).toBe(false);
});

test('what is not available now says when to come back', () => {
  expect(new WherryError('draining', 'ending').retryAfter).toBe(1);
  expect(new WherryError('draining', 'ending', { retryAfter: 5 }).retryAfter).toBe(5);
});

test('isWherryError tells codes apart', () => {
  const error: unknown = new WherryError('conflict', 'changed');
  expect(isWherryError(error)).toBe(true);
  expect(isWherryError(error, 'conflict')).toBe(true);
  expect(isWherryError(error, 'not_found')).toBe(false);
  expect(isWherryError(new Error('conflict'))).toBe(false);
});

test('a fault of somebody else becomes internal, and its text stays inside', () => {
  const strange = new Error('duplicate key: (alice, secret)');
  const error = asWherryError(strange);
  expect(error.code).toBe('internal');
  expect(error.cause).toBe(strange);
  expect(JSON.stringify(problemOf(error))).not.toContain('alice');
  const ours = new WherryError('conflict', 'changed');
  expect(asWherryError(ours)).toBe(ours);
});

test('the problem document names code, status and detail (RFC 9457)', () => {
  expect(problemOf(new WherryError('not_found', 'no such slot'))).toEqual({
    type: 'urn:wherry:error:not_found',
    status: 404,
    code: 'not_found',
    title: ERROR_CODES.not_found.meaning,
    detail: 'no such slot',
  });
});
