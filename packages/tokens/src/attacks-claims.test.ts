import { describe, expect, test } from 'vitest';
import { TestAuthority, claimsOf } from './testing/fixtures.ts';

const authority = new TestAuthority();
const verifier = authority.verifier();
const { key } = authority;
const header = { typ: 'at+jwt', alg: 'ES256', kid: key.kid };

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
    ['aud as a list with ours', { aud: ['https://api.example', 'https://other.example'] }],
    ['aud as a list of ours only', { aud: ['https://api.example'] }],
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

  test('another issuer and another audience, to the letter', () => {
    for (const iss of ['https://auth.example/', 'https://AUTH.example', 'http://auth.example', 'https://auth.example.attacker.example'])
      expect(outcome(authority.withClaims({ iss }))).toBe('token_issuer_wrong');
    for (const aud of ['https://api.example/', 'https://api.exampl', '*'])
      expect(outcome(authority.withClaims({ aud }))).toBe('token_audience_wrong');
  });
});
