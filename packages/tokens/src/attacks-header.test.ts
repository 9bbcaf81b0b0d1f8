import { createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { TestAuthority, segment, testKey } from './testing/fixtures.ts';

const authority = new TestAuthority();
const verifier = authority.verifier();
const { key } = authority;
const header = { typ: 'at+jwt', alg: 'ES256', kid: key.kid };

/** The reason for which a token is refused; `accepted` when it is not. */
function outcome(token: string): string {
  const verification = verifier.verify(token);
  return verification.ok ? 'accepted' : verification.reason;
}

/** A good token and its segments. */
function parts(): { token: string; header: string; payload: string; signature: string } {
  const token = authority.issue();
  const [header = '', payload = '', signature = ''] = token.split('.');
  return { token, header, payload, signature };
}

test('a token as issued is accepted, so that a refusal below means something', () => {
  const token = authority.issue();
  expect(verifier.verify(token)).toMatchObject({
    ok: true,
    principal: { kind: 'jwt', userId: '42', authorities: ['ROLE_USER', 'orders:read'], sessionId: '77', clientId: 'web', username: 'ann' },
    claims: { sub: '42', userId: 42 },
  });
  expect(outcome(authority.withHeader({}))).toBe('accepted');
  expect(outcome(authority.withClaims({}))).toBe('accepted');
});

describe('algorithm none', () => {
  test.each(['none', 'None', 'NONE', 'nOnE', 'none ', '', 'ES256 '])('as %j, with and without a signature', (alg) => {
    const { payload, signature } = parts();
    expect(outcome(`${segment({ ...header, alg })}.${payload}.`)).toBe('token_algorithm_refused');
    expect(outcome(`${segment({ ...header, alg })}.${payload}.${signature}`)).toBe('token_algorithm_refused');
  });

  test('an empty signature under a right header', () => {
    const { header, payload } = parts();
    expect(outcome(`${header}.${payload}.`)).toBe('token_signature_invalid');
  });
});

describe('key confusion', () => {
  const { publicKey, jwk } = key;
  test.each([
    ['PEM', publicKey.export({ format: 'pem', type: 'spki' })],
    ['PEM without its last line break', publicKey.export({ format: 'pem', type: 'spki' }).toString().trimEnd()],
    ['DER', publicKey.export({ format: 'der', type: 'spki' })],
    ['JWK text', JSON.stringify(jwk)],
    ['JWK x', Buffer.from(jwk.x ?? '', 'base64url')],
    ['no bytes at all', ''],
  ])('HS256 with the public key as the secret: %s', (_, secret) => {
    const input = `${segment({ ...header, alg: 'HS256' })}.${segment(authority.claims())}`;
    expect(outcome(`${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`)).toBe('token_algorithm_refused');
  });

  test.each(['RS256', 'EdDSA'] as const)('an ES256 key under the header of %s', (alg) => {
    expect(outcome(authority.withHeader({ alg }))).toBe('token_algorithm_refused');
  });

  test('another key of the set under the id of the first', () => {
    const other = testKey('ES256');
    authority.keys.add(other);
    expect(outcome(authority.sign(header, authority.claims(), other))).toBe('token_signature_invalid');
    authority.keys.remove(other.kid);
  });
});

describe('a key that comes with the token', () => {
  const stranger = testKey('ES256');
  test.each([
    ['jwk', stranger.jwk],
    ['jku', 'https://attacker.example/jwks.json'],
    ['x5u', 'https://attacker.example/cert.pem'],
    ['x5c', ['MIIB']],
    ['x5t', 'abc'],
    ['x5t#S256', 'abc'],
  ])('%s, signed by its own key and by ours', (name, value) => {
    expect(outcome(authority.sign({ ...header, [name]: value }, authority.claims(), stranger))).toBe('token_header_invalid');
    expect(outcome(authority.withHeader({ [name]: value }))).toBe('token_header_invalid');
  });
});

describe('key ids', () => {
  test.each([
    '../../../../dev/null',
    '/etc/passwd',
    "x' UNION SELECT 'secret",
    '__proto__',
    'constructor',
    'toString',
    'https://attacker.example/key',
    '\u0000',
    key.kid.toLowerCase(),
    `${key.kid} `,
  ])('%j is a name that nobody has', (kid) => {
    expect(outcome(authority.withHeader({ kid }))).toBe('token_key_unknown');
  });

  test.each([[''], ['k'.repeat(129)], [1], [true], [null], [[key.kid]], [{ kid: key.kid }], [undefined]])('%j is no name', (kid) => {
    expect(outcome(authority.withHeader({ kid }))).toBe('token_header_invalid');
  });
});

describe('header', () => {
  test.each([
    ['crit', { crit: ['exp'] }],
    ['crit, empty', { crit: [] }],
    ['crit with b64', { crit: ['b64'], b64: false }],
    ['b64 false', { b64: false }],
    ['b64 true', { b64: true }],
    ['zip', { zip: 'DEF' }],
    ['cty, a token in a token', { cty: 'JWT' }],
    ['enc', { enc: 'A256GCM' }],
    ['p2c, work without end', { p2c: 2_147_483_647 }],
    ['a name of the prototype', JSON.parse('{"__proto__":{"alg":"none"}}') as Record<string, unknown>],
    ['alg as a list', { alg: ['ES256'] }],
    ['alg as a number', { alg: 256 }],
    ['alg missing', { alg: undefined }],
    ['typ as a number', { typ: 1 }],
    ['typ without end', { typ: 'at+jwt'.repeat(100) }],
  ])('%s', (_, changes) => {
    const text = JSON.stringify({ ...header, ...changes }).replace(
      /\}$/,
      Object.hasOwn(changes, '__proto__') ? ',"__proto__":{"alg":"none"}}' : '}',
    );
    expect(outcome(authority.sign(text, authority.claims()))).toBe('token_header_invalid');
  });

  test.each(['JWT', 'jwt', 'JOSE', 'id+jwt', 'at+jwt ', 'application/jwt', 'text/at+jwt', 'logout+jwt', undefined])(
    'typ %j is no access token',
    (typ) => {
      expect(outcome(authority.withHeader({ typ }))).toBe('token_type_wrong');
    },
  );

  test.each(['at+jwt', 'AT+JWT', 'application/at+jwt', 'Application/AT+JWT'])('typ %j is one (RFC 9068 section 4)', (typ) => {
    expect(outcome(authority.withHeader({ typ }))).toBe('accepted');
  });

  test.each([
    `{"typ":"at+jwt","alg":"none","alg":"ES256","kid":"${key.kid}"}`,
    `{"typ":"at+jwt","alg":"ES256","kid":"x","kid":"${key.kid}"}`,
    `{"typ":"JWT","typ":"at+jwt","alg":"ES256","kid":"${key.kid}"}`,
    `{"typ":"at+jwt","\\u0061lg":"none","alg":"ES256","kid":"${key.kid}"}`,
    `{"typ":"at+jwt","alg":"ES256","kid":"${key.kid}",}`,
    `{"typ":"at+jwt","alg":"ES256","kid":"${key.kid}"}x`,
    `\ufeff{"typ":"at+jwt","alg":"ES256","kid":"${key.kid}"}`,
    '[]',
    'null',
    '"ES256"',
    '',
  ])('what another reader sees otherwise: %s', (text) => {
    expect(outcome(authority.sign(text, authority.claims()))).toBe('token_header_invalid');
  });

  test('bytes that are no UTF-8', () => {
    const bytes = Buffer.from(JSON.stringify(header), 'utf8');
    const { payload, signature } = parts();
    expect(
      outcome(
        `${Buffer.concat([bytes.subarray(0, -2), Buffer.of(0xff), bytes.subarray(-2)]).toString('base64url')}.${payload}.${signature}`,
      ),
    ).toBe('token_header_invalid');
  });
});
