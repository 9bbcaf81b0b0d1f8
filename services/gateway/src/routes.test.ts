import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RouteTable, pathOf } from './routes.ts';

const upstream = 'http://127.0.0.1:1';
const table = new RouteTable([
  { prefix: '/', upstream, auth: 'optional' },
  { prefix: '/admin/', upstream: 'http://127.0.0.1:2/', stripBearer: true },
  { prefix: '/admin/public', upstream, auth: 'none' },
]);
const authOf = (target: string): string | undefined => table.find(pathOf(target))?.auth;

describe('routes', () => {
  it('are chosen by the longest prefix at the border of a segment', () => {
    expect(table.find('/admin')).toMatchObject({ upstream: 'http://127.0.0.1:2', auth: 'required', stripBearer: true });
    expect(
      ['/', '/x', '/administrator', '/admin', '/admin/', '/admin/x', '/admin/publicity', '/admin/public', '/admin/public/x?y'].map(authOf),
    ).toEqual(['optional', 'optional', 'optional', 'required', 'required', 'required', 'required', 'none', 'none']);
    expect(new RouteTable([{ prefix: '/a', upstream }]).find('/b')).toBeUndefined();
  });

  it.each(['/admin', '//admin', '/%61dmin', '/ADMIN', '/admin;a=b', '/admin/;x', '/admin?/../x', '///admin//x', '/%41dmin', '/;/admin'])(
    'find the rule for /admin in %s',
    (target) => expect(authOf(target)).toBe('required'),
  );

  it.each([
    '',
    'admin',
    '*',
    'http://a/admin',
    '/a/../admin',
    '/a/%2e%2e/admin',
    '/.',
    '/..;/admin',
    '/a/.%2E;x/admin',
    '/a%2fb',
    '/a%5cb',
    '/a\\b',
    '/a%00',
    '/a#b',
    '/a b',
    '/%',
    '/%ff',
    '/a\u00e4',
  ])('refuse %j', (target) => expect(() => pathOf(target)).toThrow(expect.objectContaining({ code: 'bad_request' })));

  it('are not escaped by any spelling that a decoding server takes for another place', () => {
    const piece = fc.constantFrom(
      'a',
      'admin',
      'public',
      '..',
      '.',
      '%2e',
      '%2E%2e',
      '/',
      '//',
      '%2f',
      '\\',
      '%5c',
      ';',
      ';x',
      '%61',
      'ADMIN',
      '?',
      '%',
    );
    const same = fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      const target = `/${pieces.join('')}`;
      let path: string;
      try {
        path = pathOf(target);
      } catch {
        return;
      }
      // What a server would make of it that decodes, resolves and forgets parameters.
      const seen = decodeURIComponent(target.split('?')[0] ?? '')
        .split('/')
        .map((segment) => segment.split(';')[0] ?? '');
      const resolved = new URL(`http://a/${seen.filter((segment) => segment !== '').join('/')}`).pathname.toLowerCase();
      expect(table.find(path)).toBe(table.find(resolved));
    });
    fc.assert(same, { numRuns: 3000 });
  });

  it.each([
    [[{ prefix: 'a', upstream }], 'prefix a is not a path'],
    [[{ prefix: '/a/../b', upstream }], 'is not a path'],
    [[{ prefix: '/a', upstream: 'ftp://a' }], 'must be scheme, host and port'],
    [[{ prefix: '/a', upstream: 'http://a/path' }], 'must be scheme, host and port'],
    [[{ prefix: '/a', upstream: 'http://u:p@a' }], 'must be scheme, host and port'],
    [
      [
        { prefix: '/a', upstream },
        { prefix: '/A/', upstream },
      ],
      '/a is there twice',
    ],
  ])('are refused when they cannot be: %j', (routes, message) => {
    expect(() => new RouteTable(routes)).toThrow(
      expect.objectContaining({ code: 'config_invalid', message: expect.stringContaining(message) as string }),
    );
  });
});
