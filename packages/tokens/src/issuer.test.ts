import { isWherryError } from '@wherry/core';
import fc from 'fast-check';
import { exportJWK, importJWK, jwtVerify, SignJWT, calculateJwkThumbprint } from 'jose';
import { describe, expect, test } from 'vitest';
import { userIdClaim } from './access-token.ts';
import { createIssuer } from './issuer.ts';
import { importVerificationKey } from './jwk.ts';
import { SIGNING_ALGORITHMS } from './key-source.ts';
import { AUDIENCE, ISSUER, TestAuthority, TestKeys, claimsOf, testKey } from './testing/fixtures.ts';

describe.each(SIGNING_ALGORITHMS)('%s, against jose', (alg) => {
  const authority = new TestAuthority(testKey(alg));

  test('what is issued here verifies there', async () => {
    const { payload, protectedHeader } = await jwtVerify(authority.issue(), await importJWK(authority.key.jwk, alg), {
      issuer: ISSUER,
      audience: AUDIENCE,
      typ: 'at+jwt',
      algorithms: [alg],
      currentDate: new Date(authority.clock.ms),
      requiredClaims: ['exp', 'iat', 'sub', 'jti', 'client_id'],
    });
    expect(protectedHeader).toEqual({ typ: 'at+jwt', alg, kid: authority.key.kid });
    expect(payload).toMatchObject({ sub: '42', userId: 42, sid: '77', gen: 1 });
  });

  test('what is issued there verifies here', async () => {
    const { kid, privateKey } = authority.key;
    const token = await new SignJWT(authority.claims()).setProtectedHeader({ alg, typ: 'at+jwt', kid }).sign(privateKey);
    expect(authority.verifier().verify(token)).toMatchObject({ ok: true, principal: { userId: '42' } });
  });

  test('keys go both ways and have one name', async () => {
    const exported = await exportJWK(authority.key.publicKey);
    expect(await calculateJwkThumbprint(exported)).toBe(authority.key.kid);
    expect(importVerificationKey({ ...exported, kid: 'k', alg }).publicKey.equals(authority.key.publicKey)).toBe(true);
  });

  test('no other algorithm of ours takes its signature', () => {
    for (const other of SIGNING_ALGORITHMS) {
      if (other === alg) continue;
      const token = authority.sign({ typ: 'at+jwt', alg: other, kid: authority.key.kid }, authority.claims());
      expect(authority.verifier().verify(token)).toMatchObject({ ok: false, reason: 'token_algorithm_refused' });
    }
  });
});

describe('claims', () => {
  const authority = new TestAuthority();

  test.each([
    ['0', 0],
    ['42', 42],
    ['-7', -7],
    ['9007199254740991', 9007199254740991],
    ['9007199254740992', '9007199254740992'],
    ['007', '007'],
    ['1.0', '1.0'],
    ['1e3', '1e3'],
    ['-0', '-0'],
    [' 1', ' 1'],
    ['0x10', '0x10'],
    ['ann', 'ann'],
    ['NaN', 'NaN'],
    ['Infinity', 'Infinity'],
  ])('userId of %j is %j, and verifies', (userId, claim) => {
    expect(userIdClaim(userId)).toBe(claim);
    expect(authority.verifier().verify(authority.issue({ userId }))).toMatchObject({ ok: true, principal: { userId } });
  });

  test('leave out what is not there', () => {
    const keys = new TestKeys(authority.key);
    const { second } = authority.clock;
    const { claims } = createIssuer({ keys, issuer: ISSUER, audience: AUDIENCE, lifeS: 60 }).issue({
      userId: 'u',
      authorities: [],
      username: null,
      clientId: 'c',
      generation: 0,
      issuedAt: second,
      authTime: second,
      sessionExpiresAt: null,
    });
    expect(Object.keys(claims)).not.toContain('sid');
    expect(Object.keys(claims)).not.toContain('username');
  });

  test('every token has another jti', () => {
    expect(new Set(Array.from({ length: 50 }, () => claimsOf(authority.issue())['jti'])).size).toBe(50);
  });
});

describe('life', () => {
  const authority = new TestAuthority();
  const { second } = authority.clock;

  test('is the configured one from iat, capped by the end of the session and by the life that its key is kept for', () => {
    expect(claimsOf(authority.issue())['exp']).toBe(second + 600);
    expect(claimsOf(authority.issue({ sessionExpiresAt: (second + 90) * 1000 + 999 }))['exp']).toBe(second + 90);
    const issuer = createIssuer({ keys: new TestKeys(authority.key), issuer: ISSUER, audience: AUDIENCE, lifeS: 90_000 });
    const grant = {
      userId: 'u',
      authorities: [],
      clientId: 'c',
      generation: 0,
      issuedAt: second,
      authTime: second,
      sessionExpiresAt: null,
    };
    expect(issuer.issue(grant).claims.exp).toBe(second + 3600);
  });

  test('of a session at its end gives no token', () => {
    for (const ms of [second * 1000, second * 1000 + 999, 0]) {
      expect(() => authority.issue({ sessionExpiresAt: ms })).toThrowError(expect.objectContaining({ code: 'session_expired' }));
    }
  });
});

describe('what is issued verifies', () => {
  const authority = new TestAuthority();
  const codeOf = (grant: Parameters<TestAuthority['issue']>[0]): string => {
    try {
      return authority.verifier().verify(authority.issue(grant)).ok ? 'accepted' : 'refused';
    } catch (error) {
      return isWherryError(error) ? error.code : String(error);
    }
  };

  test('for any user, name, authority and client, or is not issued', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 30 }),
      fc.string({ unit: 'grapheme' }),
      fc.integer().map(String),
      fc.constantFrom('', '\ud800', '__proto__', '"', 'x'.repeat(1025)),
    );
    fc.assert(
      fc.property(
        text,
        text,
        fc.array(text, { maxLength: 4 }),
        text,
        fc.bigInt(1n, 2n ** 63n - 1n),
        (userId, username, authorities, clientId, sessionId) => {
          const sound = [userId, clientId, ...authorities].every((value) => value !== '' && value.isWellFormed() && value.length <= 1024);
          const named = username === '' || (username.isWellFormed() && username.length <= 1024);
          expect(codeOf({ userId, username, authorities, clientId, sessionId })).toBe(sound && named ? 'accepted' : 'grant_invalid');
        },
      ),
      { numRuns: 500 },
    );
  });

  test('up to the longest token', () => {
    const authorities = (count: number): string[] => Array.from({ length: count }, (_, i) => `orders:permission:${i}`);
    expect(codeOf({ authorities: authorities(200) })).toBe('accepted');
    expect(codeOf({ authorities: authorities(400) })).toBe('grant_invalid');
  });

  test.each([
    { issuedAt: 1.5 },
    { issuedAt: Number.NaN },
    { generation: -1 },
    { sessionId: 0n },
    { sessionId: -1n },
    { sessionId: 2n ** 63n },
    { authTime: Number.POSITIVE_INFINITY },
  ])('and never with %o', (grant) => {
    expect(codeOf(grant)).toBe('grant_invalid');
  });
});
