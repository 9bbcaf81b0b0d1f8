import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { promisify } from 'node:util';
import session, { MemoryStore, type SessionData } from 'express-session';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ExpressCookie } from './express-cookie.ts';

const secrets = ['new secret', 'old secret'];

/** The id that express-session itself looks up for a Cookie header; undefined when it starts a new session. */
async function libraryPick(header: string): Promise<string | undefined> {
  let asked: string | undefined;
  class Witness extends MemoryStore {
    override get(sid: string, callback: (error: unknown, data?: SessionData | null) => void): void {
      asked = sid;
      callback(null, null);
    }
  }
  const handler = session({ secret: secrets, store: new Witness(), resave: false, saveUninitialized: false });
  const request = new IncomingMessage(new Socket());
  request.url = '/';
  request.headers.cookie = header;
  await promisify(handler)(Object.assign(request, { originalUrl: '/' }) as never, new ServerResponse(request) as never);
  return asked;
}

function ourPick(header: string): string | undefined {
  const reading = new ExpressCookie({ secrets }).read(header);
  return reading.outcome === 'verified' ? reading.rawId : undefined;
}

describe('express-session cookie', () => {
  test('what ours builds, the library accepts, and ours reads', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 80 }), async (rawId) => {
        const header = new ExpressCookie({ secrets }).build(rawId);
        expect(ourPick(header)).toBe(rawId);
        expect(await libraryPick(header)).toBe(rawId);
      }),
    );
  });

  test('a cookie under the older secret verifies, one under a foreign secret does not', () => {
    const cookie = new ExpressCookie({ secrets });
    expect(cookie.read(new ExpressCookie({ secrets: ['old secret'] }).build('abc'))).toEqual({ outcome: 'verified', rawId: 'abc' });
    expect(cookie.read(new ExpressCookie({ secrets: ['another'] }).build('abc'))).toEqual({ outcome: 'invalid', reason: 'signature' });
  });

  test('headers of every shape are read as the library reads them', async () => {
    const good = new ExpressCookie({ secrets }).build('first');
    const other = new ExpressCookie({ secrets }).build('second');
    const raw = decodeURIComponent(good);
    const pieces = fc.constantFrom(
      good,
      other,
      raw,
      `connect.sid="${raw.slice('connect.sid='.length)}"`,
      'connect.sid=',
      'connect.sid="',
      'connect.sid=""',
      'connect.sid',
      'connect.sid=unsigned',
      'connect.sid=s:x',
      'connect.sid=s%3A%ZZ',
      `${good}%`,
      good.slice(0, -1),
      `x${good}`,
      'a=b',
      '=',
      ' ',
      '\t',
      '',
      '"',
      'é=ü',
    );
    const headers = fc.array(fc.tuple(pieces, fc.constantFrom(';', '; ', ' ;\t', ';;', ',', '=', ' ')), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(headers, async (parts) => {
        const header = parts.flat().join('');
        expect(ourPick(header)).toBe(await libraryPick(header));
      }),
      { numRuns: 1500 },
    );
  });

  test('any header at all is read as the library reads it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ maxLength: 60 }), async (text) => {
        expect(ourPick(`connect.sid=${text}`)).toBe(await libraryPick(`connect.sid=${text}`));
      }),
    );
  });

  test('one flipped character of the signature is refused', () => {
    const header = new ExpressCookie({ secrets }).build('abcdef');
    const [name, value] = header.split('=') as [string, string];
    const decoded = decodeURIComponent(value);
    for (let i = 0; i < decoded.length; i++) {
      const changed = `${decoded.slice(0, i)}${decoded[i] === 'A' ? 'B' : 'A'}${decoded.slice(i + 1)}`;
      expect(ourPick(`${name}=${encodeURIComponent(changed)}`)).toBeUndefined();
    }
  });

  test('it says why', () => {
    const cookie = new ExpressCookie({ secrets, name: 'sid', maxLength: 100 });
    expect(cookie.read(undefined)).toEqual({ outcome: 'absent' });
    expect(cookie.read('connect.sid=1')).toEqual({ outcome: 'absent' });
    expect(cookie.read('sid=')).toEqual({ outcome: 'absent' });
    expect(cookie.read('sid=abc')).toEqual({ outcome: 'invalid', reason: 'unsigned' });
    expect(cookie.read(`sid=s:${'a'.repeat(100)}`)).toEqual({ outcome: 'invalid', reason: 'too_long' });
    expect(cookie.read('sid=s:abc')).toEqual({ outcome: 'invalid', reason: 'signature' });
  });

  test('no secret and an empty secret are refused at the start', () => {
    expect(() => new ExpressCookie({ secrets: [] })).toThrow('at least one');
    expect(() => new ExpressCookie({ secrets: ['a', ''] })).toThrow('none may be empty');
  });
});
