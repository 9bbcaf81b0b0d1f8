import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ExpressCookie, SESSION_FORMATS, mintSessionToken, type SessionCookie } from '@wherry/sessions';
import { credentialOf, ordinaryBearer } from './credential.ts';

const cookie = new ExpressCookie({ secrets: ['keyboard cat'] });
const phpCookie = SESSION_FORMATS.find(({ name }) => name === 'php')!.cookie({ secrets: [] });
const plain: SessionCookie = {
  name: phpCookie.name,
  signed: phpCookie.signed,
  read: (header) => phpCookie.read(header),
  verify: (value) => phpCookie.verify(value),
  build: (rawId) => phpCookie.build(rawId),
};
const signed = cookie.build('abc');
const { token } = mintSessionToken(7n);

function of(rawHeaders: string[], url = '/auth'): object {
  const credential = credentialOf({ rawHeaders, url }, cookie);
  return credential.kind === 'refused' ? { kind: credential.refusal.kind, code: credential.refusal.code } : credential;
}

describe('the credential of a request', () => {
  it('is the bearer, finally, by its look; else the cookie', () => {
    const both = (value: string): string[] => ['Cookie', signed, 'AUTHORIZATION', value];
    expect(of(both('Bearer a.b.c'))).toEqual({ kind: 'jwt', token: 'a.b.c' });
    expect(of(both('bearer  .. '))).toEqual({ kind: 'jwt', token: '..' });
    expect(of(both(`Bearer ${token}`))).toMatchObject({ kind: 'session_token', key: { id: 7n } });
    expect(of(both('Bearer st_x'))).toEqual({ kind: 'session_token', code: 'session_token_malformed' });
    expect(of(both('Bearer x'))).toEqual({ kind: 'unknown', code: 'credential_unknown' });
    expect(of(both('Bearer a.b.c.d'))).toEqual({ kind: 'unknown', code: 'credential_unknown' });
    expect(of(both('Basic YTpi'))).toMatchObject({ kind: 'cookie', rawId: 'abc' });
    expect(of(['cookie', signed])).toMatchObject({ kind: 'cookie', rawId: 'abc' });
    expect(of([])).toEqual({ kind: 'none', code: 'unauthenticated' });
  });

  it('is the first cookie of the name, over all lines, as the application picks it', () => {
    expect(of(['cookie', 'a=1', 'Cookie', `${signed}; ${cookie.build('other')}`])).toMatchObject({ rawId: 'abc' });
    expect(of(['cookie', `connect.sid=s%3Abad.sig; ${signed}`])).toEqual({ kind: 'cookie', code: 'session_cookie_invalid' });
  });

  it('is no cookie without a signature whose id is long, or has signs that no id has', () => {
    const unsigned = { ...plain, read: (header: string | undefined) => ({ outcome: 'verified', rawId: header ?? '' }) as const };
    const ask = (rawId: string, by: SessionCookie): object => credentialOf({ rawHeaders: ['cookie', rawId], url: '/auth' }, by);
    const refused = { refusal: { kind: 'cookie', code: 'session_cookie_invalid' } };
    for (const rawId of ['x'.repeat(257), 'a b', 'a\u0000', 'é', 'a\n', 'a\u007f']) {
      expect(ask(rawId, unsigned)).toMatchObject(refused);
      // The application itself has signed the other one.
      expect(ask(rawId, { ...unsigned, signed: true })).toMatchObject({ kind: 'cookie', rawId });
    }
    expect(ask('x'.repeat(256), unsigned)).toMatchObject({ kind: 'cookie' });
    expect(ask('PHPSESSID=0123456789abcdef', plain)).toMatchObject({ kind: 'cookie', rawId: '0123456789abcdef' });
    expect(ask('PHPSESSID=../../etc', plain)).toMatchObject(refused);
  });

  it('is the same by the short way and the long one', () => {
    const name = fc.constantFrom('Authorization', 'authorization', 'AUTHORIZATION', 'Cookie', 'X-A', 'authorizatiom');
    const text = fc.constantFrom('eyJ.b.c', 'x', '', ' ', 'eyJ', 'a b', '\teyJ.b.c', 'eyJ.b.c ', 'e'.repeat(8190), 'e'.repeat(8185));
    const value = fc.tuple(fc.constantFrom('Bearer ', 'bearer ', 'Bearer  ', 'Bearer', 'Basic ', ''), text).map((parts) => parts.join(''));
    const url = fc.constantFrom('/auth', '/auth?', '/auth?access_token=x', '/auth?a=b');
    const same = fc.property(fc.array(fc.tuple(name, value), { maxLength: 3 }), url, (headers, target) => {
      const request = { rawHeaders: headers.flat(), url: target };
      const short = ordinaryBearer(request);
      if (short === undefined) return;
      const long = credentialOf(request, undefined);
      if (long.kind === 'jwt') expect(long.token).toBe(short);
      else expect(long).toMatchObject({ refusal: { kind: 'unknown' } });
    });
    fc.assert(same, { numRuns: 3000 });
  });
});
