import fc from 'fast-check';
import { createServer, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { decodeIdentity, encodeIdentity, isIdentityHeader } from './identity-headers.ts';
import type { Principal } from './principal.ts';

const text = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'binary' }).filter((value) => value.isWellFormed()),
  fc.constantFrom(
    'a,b',
    'a b',
    '\r\nx-wherry-user-id: root',
    '""',
    '"',
    '%',
    '%2C',
    '',
    '\u0000',
    '日本',
    '👩‍🚀',
    "it's (ok)*!",
    '__proto__',
  ),
);
const principal: fc.Arbitrary<Principal> = fc.record(
  {
    userId: text.filter((value) => value !== ''),
    authorities: fc.array(text),
    kind: fc.constantFrom('jwt' as const, 'session' as const),
    sessionId: text,
    clientId: text,
    username: text,
  },
  { requiredKeys: ['userId', 'authorities', 'kind'] },
);

describe('identity headers', () => {
  it('give back every principal exactly as it was', () => {
    const same = fc.property(principal, (who) => {
      expect(decodeIdentity(encodeIdentity(who))).toEqual(who);
    });
    fc.assert(same, { numRuns: 2000 });
  });

  it('hold no character that could end a header or a list member', () => {
    fc.assert(
      fc.property(principal, (who) => {
        for (const value of Object.values(encodeIdentity(who))) expect(value).toMatch(/^[A-Za-z0-9\-_.!~*'()%",]*$/);
        expect(encodeIdentity(who)['x-wherry-user-id']).not.toContain(',');
      }),
    );
  });

  it('survive a real connection', async () => {
    const who: Principal = {
      userId: 'ü,1\r\nx: y',
      authorities: ['ROLE_A,B', '', '角色'],
      kind: 'session',
      sessionId: '123',
      username: '   ',
    };
    const received = await echo({ ...encodeIdentity(who) });
    expect(decodeIdentity(received)).toEqual(who);
  });

  it('are refused when a proxy joined two of a kind', async () => {
    const headers = encodeIdentity({ userId: 'u', authorities: ['A'], kind: 'jwt' });
    for (const doubled of ['x-wherry-authorities', 'x-wherry-user-id', 'x-wherry-kind']) {
      const received = await echo({ ...headers, [doubled]: [headers[doubled] ?? '', headers[doubled] ?? ''] });
      expect(() => decodeIdentity(received)).toThrow(expect.objectContaining({ code: 'unauthenticated' }));
    }
  });

  it('mean nobody when there is none, and are never nobody when there is a part of them', () => {
    expect(decodeIdentity({ accept: '*/*' })).toBeUndefined();
    const whole = encodeIdentity({ userId: 'u', authorities: [], kind: 'jwt', sessionId: '1' });
    expect(decodeIdentity(whole)).toEqual({ userId: 'u', authorities: [], kind: 'jwt', sessionId: '1' });
    for (const without of ['x-wherry-user-id', 'x-wherry-authorities', 'x-wherry-kind']) {
      expect(() => decodeIdentity({ ...whole, [without]: undefined })).toThrow(expect.objectContaining({ code: 'unauthenticated' }));
    }
    expect(() => decodeIdentity({ 'x-wherry-username': 'u' })).toThrow(expect.objectContaining({ code: 'unauthenticated' }));
  });

  it.each([
    ['x-wherry-user-id', ''],
    ['x-wherry-user-id', '""'],
    ['x-wherry-user-id', 'a b'],
    ['x-wherry-user-id', '%'],
    ['x-wherry-user-id', '%61'],
    ['x-wherry-user-id', '%2c'],
    ['x-wherry-user-id', '%ff'],
    ['x-wherry-user-id', 'ü'],
    ['x-wherry-authorities', 'A, B'],
    ['x-wherry-authorities', 'A,,B'],
    ['x-wherry-authorities', ','],
    ['x-wherry-kind', 'JWT'],
    ['x-wherry-kind', 'constructor'],
    ['x-wherry-session', ''],
    ['x-wherry-session', '1\u0000'],
  ])('refuse %s: %j', (name, value) => {
    const headers = { ...encodeIdentity({ userId: 'u', authorities: ['A'], kind: 'jwt' }), [name]: value };
    expect(() => decodeIdentity(headers)).toThrow(expect.objectContaining({ code: 'unauthenticated', data: { header: name } }));
  });

  it('cannot be made for an identity that has no UTF-8 form or no user id', () => {
    expect(() => encodeIdentity({ userId: 'a\ud800', authorities: [], kind: 'jwt' })).toThrow(
      expect.objectContaining({ code: 'unauthenticated' }),
    );
    expect(() => encodeIdentity({ userId: 'a', authorities: ['\udc00'], kind: 'jwt' })).toThrow(
      expect.objectContaining({ code: 'unauthenticated' }),
    );
    expect(() => encodeIdentity({ userId: '', authorities: [], kind: 'jwt' })).toThrow(
      expect.objectContaining({ code: 'unauthenticated' }),
    );
  });
});

describe('isIdentityHeader', () => {
  it.each([
    'x-wherry-user-id',
    'X-Wherry-User-Id',
    'X_Wherry_User_Id',
    'x.wherry.user.id',
    'x-wherry_kind',
    'X--WHERRY__KIND',
    'x-wherry-signature',
    'x-wherry-callers',
    'X_Wherry_Proved_At',
    'x!wherry~anything',
  ])('knows %s', (name) => expect(isIdentityHeader(name)).toBe(true));

  it.each([
    'x-forwarded-for',
    'x-wherryx-user',
    'xwherry-user',
    'wherry-user-id',
    'x-wherry',
    'authorization',
    'x',
    '',
    'ax-wherry-user-id',
  ])('leaves %s alone', (name) => expect(isIdentityHeader(name)).toBe(false));

  it('knows every name that CGI folds into that of an identity header', () => {
    const separator = fc.constantFrom(...Array.from("!#$%&'*+-.^_`|~"));
    const cgi = (name: string): string => name.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_');
    const variant = fc
      .tuple(
        fc.constantFrom('x-wherry-user-id', 'x-wherry-authorities', 'x-wherry-kind', 'x-wherry-session'),
        fc.array(separator, { minLength: 3, maxLength: 3 }),
        fc.boolean(),
      )
      .map(([name, separators, upper]) => {
        let at = 0;
        const spelt = name.replaceAll('-', () => separators[at++] ?? '-');
        return { name, spelt: upper ? spelt.toUpperCase() : spelt };
      });
    fc.assert(
      fc.property(variant, ({ name, spelt }) => {
        expect(cgi(spelt)).toBe(cgi(name));
        expect(isIdentityHeader(spelt)).toBe(true);
      }),
    );
  });
});

/** What a server receives of `headers`. */
async function echo(headers: Record<string, string | string[]>): Promise<IncomingHttpHeaders> {
  const server = createServer((request, response) => response.end(JSON.stringify(request.headers)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const { port } = server.address() as AddressInfo;
    const body = await new Promise<string>((resolve, reject) => {
      httpRequest({ port, host: '127.0.0.1', headers }, (answer) => {
        let text = '';
        answer.setEncoding('utf8');
        answer.on('data', (chunk: string) => (text += chunk));
        answer.on('end', () => resolve(text));
      })
        .on('error', reject)
        .end();
    });
    return JSON.parse(body) as IncomingHttpHeaders;
  } finally {
    server.close();
  }
}
