import { describe, expect, test } from 'vitest';
import { TestAuthority, claimsOf } from './testing/fixtures.ts';

const authority = new TestAuthority();
const verifier = authority.verifier();
const { key } = authority;
const header = { typ: 'at+jwt', alg: 'ES256', kid: key.kid };

const JKT = 'A'.repeat(43);

/** So many actors within each other. */
function actors(count: number): unknown {
  return count === 1 ? { sub: 'a' } : { sub: 'a', act: actors(count - 1) };
}

/** The reason for which a token is refused; `accepted` when it is not. */
function outcome(token: string): string {
  const verification = verifier.verify(token);
  return verification.ok ? 'accepted' : verification.reason;
}

describe('claims', () => {
  const { iat, exp } = claimsOf(authority.issue()) as { iat: number; exp: number };
  const cases: [string, Record<string, unknown>][] = [
    ['exp missing', { exp: undefined }],
    ['exp as text', { exp: String(exp) }],
    ['exp null', { exp: null }],
    ['exp true', { exp: true }],
    ['exp negative', { exp: -1 }],
    ['exp fractional', { exp: exp + 0.5 }],
    ['exp in milliseconds', { exp: exp * 1000 }],
    ['exp beyond a safe integer', { exp: 2 ** 60 }],
    ['exp as a list', { exp: [exp] }],
    ['exp before iat', { exp: iat - 1 }],
    ['exp further away than any token lives', { exp: iat + 3601 }],
    ['iat missing', { iat: undefined }],
    ['iat as text', { iat: String(iat) }],
    ['iat negative', { iat: -5 }],
    ['nbf as text', { nbf: String(iat) }],
    ['nbf null', { nbf: null }],
    ['auth_time missing', { auth_time: undefined }],
    ['iss missing', { iss: undefined }],
    ['iss as a list', { iss: ['https://auth.example'] }],
    ['aud missing', { aud: undefined }],
    ['aud as an empty list', { aud: [] }],
    ['aud as a list with ours twice', { aud: ['https://api.example', 'https://api.example'] }],
    ['aud as a list with ours and a number', { aud: ['https://api.example', 1] }],
    ['aud as a list with ours within a list', { aud: [['https://api.example']] }],
    ['aud as a list with ours and an empty text', { aud: ['https://api.example', ''] }],
    ['aud as a list longer than any', { aud: Array.from({ length: 9 }, (_, i) => (i === 0 ? 'https://api.example' : `a${i}`)) }],
    ['aud as an object', { aud: { 0: 'https://api.example' } }],
    ['sub missing', { sub: undefined }],
    ['sub empty', { sub: '', userId: '' }],
    ['sub as a number', { sub: 42 }],
    ['sub and userId of two users', { sub: '42', userId: 1 }],
    ['sub and userId of two users, as text', { sub: '42', userId: 'admin' }],
    ['userId beyond a safe integer', { sub: '9007199254740993', userId: 9007199254740992 }],
    ['userId missing', { userId: undefined }],
    ['authorities missing', { authorities: undefined }],
    ['authorities as text', { authorities: 'ROLE_ADMIN' }],
    ['authorities with a number', { authorities: ['ROLE_USER', 1] }],
    ['authorities with a list', { authorities: [['ROLE_ADMIN']] }],
    ['authorities as an object', { authorities: { 0: 'ROLE_ADMIN', length: 1 } }],
    ['gen missing', { gen: undefined }],
    ['gen as text', { gen: '99' }],
    ['gen negative', { gen: -1 }],
    ['gen fractional', { gen: 1.5 }],
    ['jti missing', { jti: undefined }],
    ['client_id as a number', { client_id: 7 }],
    ['username as an object', { username: {} }],
    ['sid as a number', { sid: 77 }],
    ['sid with a leading zero, which would not be found among the ended', { sid: '077' }],
    ['sid with a space', { sid: ' 77' }],
    ['sid negative', { sid: '-77' }],
    ['sid beyond 63 bits', { sid: '9223372036854775808' }],
    ['fam as a number', { fam: 77 }],
    ['fam null', { fam: null }],
    ['fam with a leading zero, which would not be found among the ended', { fam: '077' }],
    ['fam beyond 63 bits', { fam: '9223372036854775808' }],
    ['fam of a service', { sub: 'client:web', userId: 'client:web', sid: undefined, username: undefined, fam: '77' }],
    ['the subject of a service, with a session', { sub: 'client:web', userId: 'client:web', username: undefined }],
    ['the subject of a service, with a name', { sub: 'client:web', userId: 'client:web', sid: undefined }],
    ['the subject of the service of another client', { sub: 'client:shop', userId: 'client:shop', sid: undefined, username: undefined }],
    ['the beginning of a service alone', { sub: 'client:', userId: 'client:', sid: undefined, username: undefined }],
    ['scope empty', { scope: '' }],
    ['scope with two spaces', { scope: 'a  b' }],
    ['scope with a space at its end', { scope: 'a ' }],
    ['scope with a quote', { scope: 'a"b' }],
    ['scope with a backslash', { scope: 'a\\b' }],
    ['scope as a list', { scope: ['a'] }],
    ['cnf null, which would make a bound token free', { cnf: null }],
    ['cnf empty', { cnf: {} }],
    ['cnf as text', { cnf: JKT }],
    ['cnf as a list', { cnf: [{ jkt: JKT }] }],
    ['cnf by a certificate, which nobody here checks', { cnf: { 'x5t#S256': JKT } }],
    ['cnf by a certificate too', { cnf: { jkt: JKT, 'x5t#S256': JKT } }],
    ['cnf with a short thumbprint', { cnf: { jkt: 'AAAA' } }],
    ['cnf with a padded thumbprint', { cnf: { jkt: `${JKT}=` } }],
    ['cnf with spare bits', { cnf: { jkt: JKT.replace(/A$/, 'B') } }],
    ['cnf with a number', { cnf: { jkt: 1 } }],
    ['act as text', { act: 'shop' }],
    ['act null', { act: null }],
    ['act without a subject', { act: { client_id: 'shop' } }],
    ['act with what it gives to no one', { act: { sub: 'shop', authorities: ['ROLE_ADMIN'] } }],
    ['act with a broken actor within', { act: { sub: 'shop', act: { sub: 1 } } }],
    ['act deeper than any', { act: actors(5) }],
  ];
  test.each(cases)('%s', (_, changes) => {
    expect(outcome(authority.withClaims(changes))).toBe('token_claims_invalid');
  });

  test.each([
    ['exp 1e400', /"exp":\d+/, '"exp":1e400'],
    ['exp NaN', /"exp":\d+/, '"exp":NaN'],
    ['exp Infinity', /"exp":\d+/, '"exp":Infinity'],
    ['exp twice', /"exp":\d+/, `"exp":${iat - 100},"exp":${exp}`],
    ['authorities twice', /"authorities":/, '"authorities":["ROLE_ADMIN"],"authorities":'],
    ['sub twice, once escaped', /"sub":/, '"s\\u0075b":"1","sub":'],
    ['a broken surrogate in sub', /"sub":"42","userId":42/, '"sub":"\\ud800","userId":"\\ud800"'],
    ['something after the object', /$/, '{}'],
  ])('%s', (_, from, to) => {
    expect(outcome(authority.sign(header, JSON.stringify(authority.claims()).replace(from, to)))).toBe('token_claims_invalid');
  });

  test.each(['', 'null', '[]', '1', '"x"', 'not json'])('a payload that is no object: %j', (text) => {
    expect(outcome(authority.sign(header, text))).toBe('token_claims_invalid');
  });

  test('a prototype in the payload gives nothing', () => {
    const text = JSON.stringify({ ...authority.claims(), sid: undefined }).replace(/\}$/, ',"__proto__":{"sid":"1","username":"root"}}');
    expect(verifier.verify(authority.sign(header, text))).toMatchObject({ ok: true, principal: { username: 'ann' } });
    const without = JSON.stringify({ ...authority.claims(), authorities: undefined }).replace(
      /\}$/,
      ',"__proto__":{"authorities":["ROLE_ADMIN"]}}',
    );
    expect(outcome(authority.sign(header, without))).toBe('token_claims_invalid');
  });

  test('claims that are not ours are passed over', () => {
    expect(outcome(authority.withClaims({ scope: 'x', nested: { a: [1, { b: 2 }] } }))).toBe('accepted');
  });

  test('forms at their bounds are taken', () => {
    for (const aud of [
      ['https://api.example'],
      ['https://other.example', 'https://api.example'],
      ['https://api.example', ...'abcdefg'.split('')],
    ])
      expect(outcome(authority.withClaims({ aud }))).toBe('accepted');
    expect(outcome(authority.withClaims({ act: actors(4) }))).toBe('accepted');
    expect(outcome(authority.withClaims({ scope: '!# [ ] ~' }))).toBe('accepted');
    expect(outcome(authority.withClaims({ sub: 'Client:web', userId: 'Client:web' }))).toBe('accepted');
  });

  test('another issuer and another audience, to the letter', () => {
    for (const iss of ['https://auth.example/', 'https://AUTH.example', 'http://auth.example', 'https://auth.example.attacker.example'])
      expect(outcome(authority.withClaims({ iss }))).toBe('token_issuer_wrong');
    for (const aud of ['https://api.example/', 'https://api.exampl', '*', ['https://other.example', 'https://api.example/']])
      expect(outcome(authority.withClaims({ aud }))).toBe('token_audience_wrong');
  });
});
