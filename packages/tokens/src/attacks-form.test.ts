import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TestAuthority, segment } from './testing/fixtures.ts';

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

describe('base64url that is not canonical', () => {
  const variants: [string, (segment: string) => string][] = [
    ['padding', (text) => `${text}=`],
    ['two of padding', (text) => `${text}==`],
    ['a space before', (text) => ` ${text}`],
    ['a space after', (text) => `${text} `],
    ['a line break within', (text) => `${text.slice(0, 4)}\n${text.slice(4)}`],
    ['a null character', (text) => `${text}\u0000`],
    ['a character outside the alphabet', (text) => `${text.slice(0, 4)}?${text.slice(4)}`],
    ['a letter that only looks the same', (text) => `${text.slice(0, 4)}а${text.slice(4)}`],
    ['one character too many', (text) => `${text}A`],
  ];
  test.each(variants)('%s, in each segment', (_, change) => {
    const { header, payload, signature } = parts();
    for (const token of [
      `${change(header)}.${payload}.${signature}`,
      `${header}.${change(payload)}.${signature}`,
      `${header}.${payload}.${change(signature)}`,
    ]) {
      expect(['token_malformed', 'token_signature_invalid', 'token_header_invalid', 'token_claims_invalid']).toContain(outcome(token));
    }
  });

  test('spare bits at the end of the signature', () => {
    const { token } = parts();
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    // 64 bytes are 86 characters, of which the last holds two bits.
    const last = alphabet.indexOf(token.at(-1) ?? '');
    for (let spare = 1; spare < 16; spare++) expect(outcome(token.slice(0, -1) + alphabet.charAt(last + spare))).toBe('token_malformed');
  });

  test('the standard alphabet', () => {
    for (;;) {
      const { token, header, payload, signature } = parts();
      const standard = signature.replaceAll('-', '+').replaceAll('_', '/');
      if (standard === signature) continue;
      expect(outcome(token)).toBe('accepted');
      expect(outcome(`${header}.${payload}.${standard}`)).toBe('token_malformed');
      return;
    }
  });
});

describe('shape', () => {
  test('segments too few and too many', () => {
    const { token, header, payload, signature } = parts();
    for (const text of [
      '',
      '.',
      '..',
      '...',
      header,
      `${header}.${payload}`,
      `${token}.`,
      `.${token}`,
      `${token}.${signature}`,
      `${header}..${payload}.${signature}`,
      `Bearer ${token}`,
    ]) {
      expect(['token_malformed', 'token_header_invalid']).toContain(outcome(text));
    }
  });

  test('JSON serialisation', () => {
    const { header, payload, signature } = parts();
    expect(outcome(JSON.stringify({ protected: header, payload, signature }))).toBe('token_malformed');
  });

  test('oversized', () => {
    expect(outcome('a'.repeat(10_000_000))).toBe('token_too_large');
    expect(outcome(authority.withClaims({ pad: 'x'.repeat(8000) }))).toBe('token_too_large');
  });

  test('deep', () => {
    const deep = `${'['.repeat(2500)}${']'.repeat(2500)}`;
    expect(outcome(authority.sign(header, JSON.stringify(authority.claims()).replace(/\}$/, `,"x":${deep}}`)))).toBe(
      'token_claims_invalid',
    );
    expect(outcome(authority.sign(JSON.stringify(header).replace(/\}$/, `,"jwk":${deep}}`), {}))).toBe('token_header_invalid');
  });
});

describe('degenerate ECDSA values', () => {
  const order = 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551';
  const zero = '00'.repeat(32);
  const one = `${'00'.repeat(31)}01`;
  const beforeOrder = `${order.slice(0, -1)}0`;
  const values = [zero, one, beforeOrder, order, 'ff'.repeat(32)];
  test.each(values.flatMap((r) => values.map((s) => [r.slice(-4), s.slice(-4), r + s])))('r …%s, s …%s', (_r, _s, hex) => {
    const { header, payload } = parts();
    expect(outcome(`${header}.${payload}.${Buffer.from(hex, 'hex').toString('base64url')}`)).toBe('token_signature_invalid');
  });

  test('r and s raised by the order, which is the same value again', () => {
    const { header, payload, signature } = parts();
    const bytes = Buffer.from(signature, 'base64url');
    for (const at of [0, 32]) {
      const raised = (BigInt(`0x${bytes.subarray(at, at + 32).toString('hex')}`) + BigInt(`0x${order}`)).toString(16).padStart(64, '0');
      const changed = Buffer.concat([bytes.subarray(0, at), Buffer.from(raised.slice(-64), 'hex'), bytes.subarray(at + 32)]);
      expect(outcome(`${header}.${payload}.${changed.toString('base64url')}`)).toBe('token_signature_invalid');
    }
  });

  test('DER, and lengths beside 64 bytes', () => {
    const { header, payload, signature } = parts();
    const bytes = Buffer.from(signature, 'base64url');
    const der = Buffer.concat([Buffer.of(0x30, 0x44, 0x02, 0x20), bytes.subarray(0, 32), Buffer.of(0x02, 0x20), bytes.subarray(32)]);
    for (const other of [
      der,
      bytes.subarray(1),
      bytes.subarray(0, 63),
      Buffer.concat([bytes, Buffer.of(0)]),
      Buffer.concat([Buffer.of(0), bytes]),
      Buffer.alloc(0),
    ])
      expect(outcome(`${header}.${payload}.${other.toString('base64url')}`)).toBe('token_signature_invalid');
  });
});

describe('no change of a valid token verifies, and none throws', () => {
  const token = authority.issue();
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \n\u00e9';
  const verifyNew = (text: string): boolean => authority.verifier().verify(text).ok;

  test('one character replaced, put in or taken out', () => {
    fc.assert(
      fc.property(
        fc.nat(token.length),
        fc.constantFrom(...alphabet.split('')),
        fc.constantFrom(0, 1),
        fc.boolean(),
        (at, character, cut, insert) => {
          const changed = token.slice(0, at) + (insert ? character : '') + token.slice(at + cut);
          fc.pre(changed !== token);
          expect(verifyNew(changed)).toBe(false);
        },
      ),
      { numRuns: 3000 },
    );
  });

  test('one bit of a segment flipped', () => {
    fc.assert(
      fc.property(fc.constantFrom(0, 1, 2), fc.nat(), (which, bit) => {
        const segments = token.split('.');
        const bytes = Buffer.from(segments[which] ?? '', 'base64url');
        const at = bit % (bytes.length * 8);
        bytes.writeUInt8(bytes.readUInt8(at >> 3) ^ (1 << (at & 7)), at >> 3);
        segments[which] = bytes.toString('base64url');
        expect(verifyNew(segments.join('.'))).toBe(false);
      }),
      { numRuns: 1000 },
    );
  });

  test('any text at all', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 300, unit: 'binary' }), (text) => {
        expect(verifyNew(text)).toBe(false);
      }),
    );
    fc.assert(
      fc.property(fc.array(fc.jsonValue().map(segment), { minLength: 2, maxLength: 4 }), fc.base64String(), (segments, tail) => {
        expect(verifyNew(`${segments.join('.')}.${tail}`)).toBe(false);
      }),
    );
  });
});
