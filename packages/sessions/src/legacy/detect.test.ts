import { expect, test } from 'vitest';
import { detectLayout } from './detect.ts';

const session = (extra: object): string => JSON.stringify({ cookie: { originalMaxAge: null, path: '/' }, ...extra });
const rawId = 'A'.repeat(32);

test('express-session JSON is told by the store that it lies in', () => {
  const entries = [{ rawId, value: session({ user: { id: 1, roles: ['a', 'b'] } }) }];
  expect(detectLayout({ store: 'redis', entries })).toMatchObject({ layout: 'connect-redis', sampled: 1, matching: 1, faults: {} });
  expect(detectLayout({ store: 'dynamodb', entries }).layout).toBe('connect-dynamodb');
  const unknown = detectLayout({ store: 'files', entries });
  expect(unknown.layout).toBe('unknown');
  expect(unknown.reasons).toContain('no layout is known for the store "files"');
});

test('too many values of another form: unknown, with the counts', () => {
  const good = Array.from({ length: 89 }, () => ({ value: session({}) }));
  const bad = [
    ...Array.from({ length: 9 }, () => ({ value: '\u00ac\u00ed\u0000\u0005' })),
    { value: '{"_expire":1,"_maxAge":2}' },
    { value: '[]' },
  ];
  const report = detectLayout({ store: 'redis', entries: [...good, ...bad] });
  expect(report).toMatchObject({ layout: 'unknown', sampled: 100, matching: 89, faults: { not_json: 9, not_a_session: 2 } });
  expect(detectLayout({ store: 'redis', entries: [...good, ...good, ...bad] }).layout).toBe('connect-redis');
  expect(detectLayout({ store: 'redis', entries: [] })).toMatchObject({ layout: 'unknown', reasons: ['the sample is empty'], bytes: null });
});

test('the histogram tells paths, types and sizes', () => {
  const entries = [{ value: session({ user: { id: 7 }, tags: ['x', 'yy'] }) }, { value: session({ user: { id: 'abc' }, tags: [] }) }];
  const attributes = new Map(detectLayout({ store: 'redis', entries }).attributes.map((entry) => [entry.path, entry]));
  expect(attributes.get('user.id')).toEqual({
    path: 'user.id',
    sessions: 2,
    types: { number: 1, text: 1 },
    size: { min: 3, max: 3, mean: 3 },
  });
  expect(attributes.get('tags')).toMatchObject({ types: { array: 2 }, size: { min: 0, max: 2, mean: 1 } });
  expect(attributes.get('tags[]')).toMatchObject({ sessions: 1, types: { text: 2 }, size: { min: 1, max: 2 } });
  expect(attributes.get('cookie.originalMaxAge')).toMatchObject({ types: { null: 2 }, size: null });
});

test('no value, no id and no key made of data gets into the report', () => {
  const secrets = ['ada@example.org', 'Q7', '4111111111111111', '2b1f0c9e8d7a'];
  const [mail, text, card, token] = secrets as [string, string, string, string];
  const entries = [{ rawId: token, value: session({ [mail]: text, [card]: { [token]: 1 }, user: { name: mail, card } }) }];
  const report = JSON.stringify(detectLayout({ store: 'redis', entries }));
  for (const secret of secrets) expect(report).not.toContain(secret);
  expect(report).toContain('"*.*"');
});

test('sessions that key objects by data do not fill the memory', () => {
  const cart = Object.fromEntries(
    Array.from({ length: 5000 }, (_, i) => [`k${'abcdefghij'[i % 10]}${'x'.repeat(i % 37)}${'y'.repeat(i % 31)}`, 1]),
  );
  expect(detectLayout({ store: 'redis', entries: [{ value: session({ cart }) }] }).attributes.length).toBeLessThanOrEqual(500);
});
