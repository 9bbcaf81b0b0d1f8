import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import fc from 'fast-check';
import Koa from 'koa';
import { describe, expect, test } from 'vitest';
import type { SessionCookie } from '../session-cookie.ts';
import { mappedFormat } from './mapped-format.ts';
import type { SessionMapping } from './mapping.ts';

const secrets = ['new secret', 'old secret'];
const cookieOf = (cookie: SessionMapping['cookie'], given = secrets): SessionCookie =>
  mappedFormat({ value: 'json', timeUnit: 'ms', idleUnit: 's', cookie }).cookie({ name: 'sid', secrets: given });
const IDS = fc.stringMatching(/^[0-9A-Za-z_.,~:@+/=-]{1,80}$/);

describe('the cookie of a mapping', () => {
  test.each(['plain', 'base64', 'express-signed', 'keygrip'] as const)('%s: what is built is read, among others too', (kind) => {
    const cookie = cookieOf(kind);
    expect(cookie.signed).toBe(kind === 'express-signed' || kind === 'keygrip');
    fc.assert(
      fc.property(IDS, (rawId) => {
        expect(cookie.read(`a=b; ${cookie.build(rawId)}; c=d`)).toEqual({ outcome: 'verified', rawId });
      }),
    );
    for (const header of [undefined, '', 'a=b', 'sid', 'sid=', 'xsid=1', 'sid.sig=x'])
      expect(cookie.read(header)).toEqual({ outcome: 'absent' });
  });

  test.each(['plain', 'base64', 'express-signed', 'keygrip'] as const)('%s: any header is answered', (kind) => {
    const cookie = cookieOf(kind);
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const reading = cookie.read(`sid=${text}; sid.sig=${text}`);
        expect(kind === 'keygrip' || kind === 'express-signed' ? reading.outcome !== 'verified' : true).toBe(true);
        if (reading.outcome === 'verified') expect(reading.rawId).toMatch(/^[0-9A-Za-z_.,~:@+/=-]{1,256}$/);
      }),
    );
  });

  test('an id that no store should be asked for is none', () => {
    for (const id of ['a b', 'a*', 'a\u0000', 'x'.repeat(257), '{a}', 'é'])
      expect(cookieOf('plain').read(`sid=${encodeURIComponent(id)}`)).toEqual({ outcome: 'invalid', reason: 'malformed' });
    expect(cookieOf('base64').read(`sid=${Buffer.from('a b').toString('base64')}`)).toMatchObject({ outcome: 'invalid' });
    // The same id in other letters would be another cookie of the same session.
    expect(cookieOf('base64').read('sid=YWJj')).toEqual({ outcome: 'verified', rawId: 'abc' });
    for (const other of ['YWJ', 'YW%20Jj', 'YWJj!', 'YWJjZ', '_'.repeat(3)])
      expect(cookieOf('base64').read(`sid=${other}`).outcome).not.toBe('verified');
  });

  test('without the secrets that it needs it is refused at the start', () => {
    for (const kind of ['express-signed', 'keygrip'] as const)
      for (const given of [[], ['']]) expect(() => cookieOf(kind, given)).toThrow(expect.objectContaining({ code: 'config_invalid' }));
  });
});

describe('a cookie that Koa has signed', () => {
  const app = new Koa();
  app.keys = secrets;
  const context = (cookie?: string): ReturnType<Koa['createContext']> => {
    const request = new IncomingMessage(new Socket());
    if (cookie !== undefined) request.headers.cookie = cookie;
    return app.createContext(request, new ServerResponse(request));
  };

  test('is read here, and the other way round', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[0-9A-Za-z_-]{1,60}$/), fc.constantFrom(...secrets), (rawId, secret) => {
        const ours = cookieOf('keygrip', [secret]).build(rawId);
        expect(context(ours).cookies.get('sid', { signed: true })).toBe(rawId);
        const theirs = context();
        theirs.cookies.set('sid', rawId, { signed: true });
        const header = [theirs.response.get('set-cookie')]
          .flat()
          .map((line) => line.split(';')[0])
          .join('; ');
        expect(cookieOf('keygrip').read(header)).toEqual({ outcome: 'verified', rawId });
      }),
    );
  });

  test('is refused where Koa refuses it', () => {
    const good = cookieOf('keygrip').build('abc');
    const other = cookieOf('keygrip', ['another']).build('abc');
    const piece = fc.constantFrom(
      good,
      other,
      'sid=abc',
      'sid="abc"',
      'sid=',
      ...good.split('; ').slice(1),
      ...other.split('; ').slice(1),
      'sid.sig=',
      'a=b',
      ' ',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 5 }), fc.constantFrom('; ', ';'), (pieces, by) => {
        const header = pieces.join(by);
        const reading = cookieOf('keygrip').read(header);
        expect(reading.outcome === 'verified' ? reading.rawId : undefined).toBe(
          context(header).cookies.get('sid', { signed: true }) || undefined,
        );
      }),
      { numRuns: 500 },
    );
  });
});
