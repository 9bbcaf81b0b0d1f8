import { describe, expect, test } from 'vitest';
import { TestAuthority, TestKeys, claimsOf, testKey } from './testing/fixtures.ts';
import type { Verification } from './verifier.ts';

const reason = (verification: Verification<unknown>): string => (verification.ok ? 'accepted' : verification.reason);

describe('a remembered token', () => {
  test('is the same object, derived once, its signature verified once', () => {
    const authority = new TestAuthority();
    let derived = 0;
    const verifier = authority.verifier({ derive: () => void derived++ });
    const token = authority.issue();
    const first = verifier.verify(token);
    // Another string with the same characters, as the next request brings it.
    expect(verifier.verify(Buffer.from(token, 'latin1').toString('latin1'))).toBe(first);
    expect(derived).toBe(1);
    expect(verifier.stats).toEqual({ hits: 1, misses: 1, remembered: 1 });
  });

  test('is refused after exp, to the millisecond, skew included', () => {
    const authority = new TestAuthority();
    const verifier = authority.verifier();
    const token = authority.issue();
    authority.clock.ms += 600_000 + 30_000 - 1;
    expect(reason(verifier.verify(token))).toBe('accepted');
    authority.clock.ms += 1;
    expect(reason(verifier.verify(token))).toBe('token_expired');
    expect(reason(authority.verifier().verify(token))).toBe('token_expired');
  });

  test('is refused while the clock stands before its issue, and accepted when the clock is right again', () => {
    const authority = new TestAuthority();
    const verifier = authority.verifier();
    const token = authority.issue();
    expect(reason(verifier.verify(token))).toBe('accepted');
    authority.clock.ms -= 30_000;
    expect(reason(verifier.verify(token))).toBe('accepted');
    authority.clock.ms -= 1;
    expect(reason(verifier.verify(token))).toBe('token_not_yet_valid');
    expect(reason(authority.verifier().verify(token))).toBe('token_not_yet_valid');
    authority.clock.ms += 30_001;
    expect(reason(verifier.verify(token))).toBe('accepted');
  });

  test('that had expired is accepted again by a clock stepped back: time is asked at every use, never remembered', () => {
    const authority = new TestAuthority();
    const verifier = authority.verifier();
    const token = authority.issue();
    expect(reason(verifier.verify(token))).toBe('accepted');
    authority.clock.ms += 3_600_000;
    expect(reason(verifier.verify(token))).toBe('token_expired');
    authority.clock.ms -= 3_600_000;
    expect(reason(verifier.verify(token))).toBe('accepted');
  });

  test('is refused after its session was ended', () => {
    const authority = new TestAuthority();
    const verifier = authority.verifier();
    const [token, other] = [authority.issue(), authority.issue({ sessionId: 78n })];
    expect([token, other].map((text) => reason(verifier.verify(text)))).toEqual(['accepted', 'accepted']);
    authority.revocations.endSession('77');
    expect([token, other].map((text) => reason(verifier.verify(text)))).toEqual(['token_session_ended', 'accepted']);
    expect(reason(authority.verifier().verify(token))).toBe('token_session_ended');
    expect(reason(verifier.verify(token))).toBe('token_session_ended');
  });

  test('is refused after it was ended by itself, and no other of its session', () => {
    const authority = new TestAuthority();
    const verifier = authority.verifier();
    const [token, other] = [authority.issue(), authority.issue()];
    expect([token, other].map((text) => reason(verifier.verify(text)))).toEqual(['accepted', 'accepted']);
    authority.revocations.endToken(String(claimsOf(token)['jti']));
    expect([token, other].map((text) => reason(verifier.verify(text)))).toEqual(['token_ended', 'accepted']);
    expect(reason(authority.verifier().verify(token))).toBe('token_ended');
  });

  test('is refused after its family was ended, with all that came with it, and no other of its session', () => {
    const authority = new TestAuthority();
    const verifier = authority.verifier();
    const tokens = [5n, 5n, 6n, undefined].map((familyId) => authority.issue(familyId === undefined ? {} : { familyId }));
    const judged = (by: typeof verifier): string[] => tokens.map((text) => reason(by.verify(text)));
    expect(judged(verifier)).toEqual(['accepted', 'accepted', 'accepted', 'accepted']);
    authority.revocations.endFamily('5');
    for (const by of [verifier, authority.verifier()]) expect(judged(by)).toEqual(['token_ended', 'token_ended', 'accepted', 'accepted']);
    // The ids of families and of sessions are numbers alike.
    authority.revocations.endFamily('77');
    expect(judged(verifier)).toEqual(['token_ended', 'token_ended', 'accepted', 'accepted']);
  });

  test('is refused after its session has changed, and one that was issued later is not', () => {
    const authority = new TestAuthority();
    const verifier = authority.verifier();
    const { second } = authority.clock;
    const [token, other] = [authority.issue(), authority.issue({ sessionId: 78n })];
    expect([token, other].map((text) => reason(verifier.verify(text)))).toEqual(['accepted', 'accepted']);
    authority.revocations.changeSession('77', second + 1);
    const [early, next] = [authority.issue({ issuedAt: second + 1 }), authority.issue({ issuedAt: second + 2 })];
    const judged = (): string[] => [token, other, early, next].map((text) => reason(verifier.verify(text)));
    expect(judged()).toEqual(['token_session_changed', 'accepted', 'token_session_changed', 'accepted']);
    expect(reason(authority.verifier().verify(token))).toBe('token_session_changed');
    authority.revocations.changeSession('77', second + 2);
    expect(judged()).toEqual(['token_session_changed', 'accepted', 'token_session_changed', 'token_session_changed']);
  });

  test('asks what has ended only when something has', () => {
    const authority = new TestAuthority();
    let asked = 0;
    const { revocations } = authority;
    const counting = Object.assign(Object.create(revocations) as typeof revocations, {
      isTokenEnded: () => (asked++, false),
      isSessionEnded: () => (asked++, false),
      sessionTokensNotBefore: () => (asked++, 0),
      minimumGeneration: () => (asked++, 0),
    });
    Object.defineProperty(counting, 'version', { get: () => revocations.version });
    const verifier = authority.verifier({ revocations: counting });
    const token = authority.issue();
    for (let i = 0; i < 5; i++) expect(reason(verifier.verify(token))).toBe('accepted');
    expect(asked).toBe(4);
    revocations.endSession('1');
    for (let i = 0; i < 5; i++) expect(reason(verifier.verify(token))).toBe('accepted');
    expect(asked).toBe(8);
  });

  test('is refused once its generation is below the minimum of its user', () => {
    const authority = new TestAuthority();
    const verifier = authority.verifier();
    const [old, other, renewed] = [authority.issue(), authority.issue({ userId: '43' }), authority.issue({ generation: 2 })];
    for (const token of [old, other, renewed]) expect(reason(verifier.verify(token))).toBe('accepted');
    authority.revocations.raise('42', 2);
    expect([old, other, renewed].map((token) => reason(verifier.verify(token)))).toEqual(['token_generation_old', 'accepted', 'accepted']);
    expect(reason(authority.verifier().verify(old))).toBe('token_generation_old');
  });

  test('is refused when it was issued at or before the second of a general revocation', () => {
    const authority = new TestAuthority();
    const verifier = authority.verifier();
    const old = authority.issue();
    expect(reason(verifier.verify(old))).toBe('accepted');
    authority.revocations.revokeUpTo(authority.clock.second);
    expect(reason(verifier.verify(old))).toBe('token_revoked');
    authority.clock.ms += 1000;
    expect(reason(verifier.verify(authority.issue()))).toBe('accepted');
    expect(reason(authority.verifier().verify(old))).toBe('token_revoked');
  });

  test('is refused after its key was removed, and verified anew when another key comes under the same id', () => {
    const authority = new TestAuthority();
    const verifier = authority.verifier();
    const token = authority.issue();
    expect(reason(verifier.verify(token))).toBe('accepted');
    const stranger = testKey();
    authority.keys.add(stranger);
    expect(reason(verifier.verify(token))).toBe('accepted');
    authority.keys.remove(authority.key.kid);
    expect(reason(verifier.verify(token))).toBe('token_key_unknown');
    authority.keys.add({ ...stranger, kid: authority.key.kid });
    expect(reason(verifier.verify(token))).toBe('token_signature_invalid');
    authority.keys.add(authority.key);
    expect(reason(verifier.verify(token))).toBe('accepted');
  });
});

describe('an unknown key', () => {
  const authority = new TestAuthority();
  const token = authority.issue();

  test('is unknown where the key set is proved complete', () => {
    const keys = new TestKeys(testKey());
    expect(authority.verifier({ keys }).verify(token)).toEqual({ ok: false, reason: 'token_key_unknown', status: 401 });
  });

  test('is 503 where it is not', () => {
    const keys = new TestKeys(testKey());
    keys.staleMs = 5001;
    expect(authority.verifier({ keys }).verify(token)).toEqual({ ok: false, reason: 'token_key_unproved', status: 503 });
    keys.staleMs = Number.POSITIVE_INFINITY;
    expect(authority.verifier({ keys }).verify(token)).toMatchObject({ status: 503 });
  });

  test('is 503 where there is no key yet: the first key ever signs before anyone was asked', () => {
    expect(authority.verifier({ keys: new TestKeys() }).verify(token)).toMatchObject({ status: 503 });
  });

  test('does not excuse what is wrong with the token itself', () => {
    const keys = new TestKeys();
    expect(reason(authority.verifier({ keys }).verify(`${token}=`))).toBe('token_malformed');
    expect(reason(authority.verifier({ keys }).verify(authority.withHeader({ typ: 'JWT' })))).toBe('token_type_wrong');
  });
});

test('what a stale set of revocations means is left to the caller', () => {
  const authority = new TestAuthority();
  authority.revocations.staleMs = 1e9;
  expect(reason(authority.verifier().verify(authority.issue()))).toBe('accepted');
});

describe('a token that is bound to a key', () => {
  const authority = new TestAuthority();
  const jkt = testKey().kid;
  const [bound, free] = [authority.issue({ cnf: { jkt } }), authority.issue()];

  test('is refused as a bearer, remembered or not, where nothing else is said', () => {
    const verifier = authority.verifier();
    for (let i = 0; i < 2; i++) {
      expect(reason(verifier.verify(bound))).toBe('token_bound');
      expect(reason(verifier.verify(bound, 'bearer'))).toBe('token_bound');
      expect(reason(verifier.verify(bound, { jkt }))).toBe('accepted');
    }
    expect(reason(verifier.verify(bound))).toBe('token_bound');
  });

  test('holds with the proof of its key alone, and a free one with none', () => {
    const verifier = authority.verifier();
    expect(verifier.verify(bound, { jkt })).toMatchObject({ ok: true, claims: { cnf: { jkt } } });
    expect(reason(verifier.verify(bound, { jkt: testKey().kid }))).toBe('token_bound');
    expect(reason(verifier.verify(free, { jkt }))).toBe('token_bound');
    expect([bound, free].map((token) => reason(verifier.verify(token, 'inspected')))).toEqual(['accepted', 'accepted']);
  });

  test('is judged in everything else first', () => {
    const verifier = authority.verifier();
    expect(reason(verifier.verify(`${bound}=`))).toBe('token_malformed');
    authority.revocations.revokeUpTo(authority.clock.second);
    expect(reason(verifier.verify(bound))).toBe('token_revoked');
  });
});

test('a verifier of several audiences takes a token of any of them', () => {
  const authority = new TestAuthority();
  const verifier = authority.verifier({ audience: ['a', 'b'] });
  for (const aud of ['a', 'b', ['b', 'c']]) expect(reason(verifier.verify(authority.withClaims({ aud })))).toBe('accepted');
  for (const aud of ['c', 'ab', ['c', 'd']]) expect(reason(verifier.verify(authority.withClaims({ aud })))).toBe('token_audience_wrong');
});

test('a token that was refused is not remembered', () => {
  const authority = new TestAuthority();
  const verifier = authority.verifier();
  expect(reason(verifier.verify(authority.withClaims({ aud: 'x' })))).toBe('token_audience_wrong');
  expect(reason(verifier.verify(authority.issue({ sessionId: 5n }).replace(/.$/, '')))).toBe('token_malformed');
  expect(verifier.stats.remembered).toBe(0);
});
