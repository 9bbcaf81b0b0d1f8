import { existsSync, readFileSync } from 'node:fs';
import { isWherryError } from '@wherry/core';
import { describe, expect, test } from 'vitest';
import { readCompactJws, verifyCompactSignature } from './compact-jws.ts';
import { importVerificationKey } from './jwk.ts';

/**
 * Test vectors of project Wycheproof (C2SP/wycheproof, testvectors_v1), read from beside the checkout: they are not part
 * of it. What is tested is the layer on which the verifier stands: taking a compact JWS apart and verifying its signature.
 */
const FOLDER = new URL('../../../../shared/wycheproof/', import.meta.url);

interface Vectors {
  readonly testGroups: readonly Group[];
}

interface Group {
  readonly comment: string;
  readonly public?: Jwk;
  readonly private?: Jwk;
  readonly tests: readonly Case[];
}

interface Case {
  readonly tcId: number;
  readonly comment: string;
  readonly jws: unknown;
  readonly result: 'valid' | 'invalid';
}

type Jwk = Readonly<Record<string, unknown>>;

/** Cases that the vectors call valid and that are refused here on purpose, each with the step that refuses it. */
const SIGNATURE_DEVIATIONS = [
  {
    why: 'HMAC: whoever verifies could also sign, and a public key could be taken for the secret (RFC 8725 section 2.1)',
    outcome: 'token_algorithm_refused',
    cases: [1, 348, 352, 357, 358, 359, 376, 377],
  },
  {
    why: 'RS384, RS512, PS256, PS384, PS512: never issued, and an algorithm that nobody uses is only surface',
    outcome: 'token_algorithm_refused',
    cases: [...range(264, 275), 287, 288, ...range(320, 323), ...range(325, 328)],
  },
  {
    why: 'the header names another algorithm than the key is for; a key has one algorithm (RFC 8725 section 3.1)',
    outcome: 'token_algorithm_refused',
    cases: [346, 347, 350, 351],
  },
  {
    why: 'a character outside base64url is in a segment: RFC 7515 section 2 allows none, the vectors pass over it',
    outcome: 'token_malformed',
    cases: [372, 373],
  },
];

/** What refuses an invalid case, where it is not the signature: the class of each is part of what is tested. */
const SIGNATURE_REFUSALS = [
  {
    outcome: 'token_malformed',
    cases: [4, 7, 10, 12, 13, 14, 15, 17, 21, 24, 27, 29, 30, 36, 39, 42, 44, 45, ...range(360, 366), 368, 369, 371, 374, 375],
  },
  // Without a header, or with a key in it.
  { outcome: 'token_header_invalid', cases: [9, 11, 26, 28, 32, 41, 43] },
  // HMAC, PS*, none in three spellings, and the header that makes a public key a secret (31).
  {
    outcome: 'token_algorithm_refused',
    cases: [2, 3, 5, 6, 8, 16, 31, ...range(276, 286), ...range(289, 319), 324, ...range(329, 331), ...range(333, 344), 367, 370],
  },
  // A key for PS512, and keys for encryption.
  { outcome: 'signing_key_invalid', cases: [332, 353, 354, 355, 356] },
];

const KEY_DEVIATIONS = [
  { why: 'HMAC, as above', outcome: 'token_algorithm_refused', cases: [2, 13, 14, 15] },
  {
    why: 'a modulus made by a faulty smart card (ROCA) is not looked for: keys are made by this system alone, by OpenSSL',
    outcome: 'accepted',
    cases: [7],
  },
];

const KEY_REFUSALS = [
  { outcome: 'token_algorithm_refused', cases: [1, 3, 4, 10, 11, 12, 16, 17, 18, 25, 26] },
  // Wrong use, 1024 bits, exponent 1, another curve, another algorithm, a point that is not on the curve.
  { outcome: 'signing_key_invalid', cases: [6, 8, 9, ...range(19, 24)] },
];

describe.each([
  { file: 'json_web_signature_test.json', count: 401, deviations: SIGNATURE_DEVIATIONS, refusals: SIGNATURE_REFUSALS },
  { file: 'json_web_key_test.json', count: 26, deviations: KEY_DEVIATIONS, refusals: KEY_REFUSALS },
])('$file', ({ file, count, deviations, refusals }) => {
  const url = new URL(file, FOLDER);
  if (!existsSync(url)) {
    const missing = `Wycheproof vectors are missing: ${url.pathname} (see github.com/C2SP/wycheproof, testvectors_v1)`;
    if (process.env['CI'] !== undefined) {
      test('the vectors are there', () => expect.fail(missing));
      return;
    }
    process.stderr.write(`\nSKIPPED: ${missing}\n\n`);
    test('every case', ({ skip }) => skip(missing));
    return;
  }
  const { testGroups } = JSON.parse(readFileSync(url, 'utf8')) as Vectors;
  const cases = testGroups.flatMap((group) =>
    group.tests.map((entry) => ({ ...entry, jwk: onlyKey(group.public ?? group.private ?? {}) })),
  );
  const declared = new Map([...deviations, ...refusals].flatMap(({ outcome, cases }) => cases.map((id) => [id, outcome] as const)));

  test('all cases are there', () => {
    expect(cases).toHaveLength(count);
  });

  test('every deviation is a deviation', () => {
    const results = new Map(cases.map(({ tcId, result }) => [tcId, result]));
    for (const { outcome, cases } of deviations)
      for (const id of cases) expect([id, results.get(id)]).toEqual([id, outcome === 'accepted' ? 'invalid' : 'valid']);
    for (const { cases } of refusals) for (const id of cases) expect([id, results.get(id)]).toEqual([id, 'invalid']);
  });

  test.each(cases)('$tcId $comment: $result', ({ tcId, jws, jwk, result }) => {
    expect(outcomeOf(jws, jwk)).toBe(declared.get(tcId) ?? (result === 'valid' ? 'accepted' : 'token_signature_invalid'));
  });
});

/** Which step refuses, or `accepted`. Form and header come before the key, as in the verifier. */
function outcomeOf(jws: unknown, jwk: Jwk): string {
  const read = readCompactJws(typeof jws === 'string' ? jws : JSON.stringify(jws));
  if (!read.ok) return read.reason;
  try {
    // Where the vectors leave out what a key needs here, it is filled in, so that their own point is what is tested.
    const key = importVerificationKey({ kid: 'unnamed', alg: jwk['kty'] === 'RSA' ? 'RS256' : 'ES256', ...jwk });
    return verifyCompactSignature(read, key) ? 'accepted' : 'token_signature_invalid';
  } catch (error) {
    if (isWherryError(error)) return error.code;
    throw error;
  }
}

/** The key of a set of one. Larger sets stay sets: all of them hold HMAC keys, which are refused before any key is looked at. */
function onlyKey(jwk: Jwk): Jwk {
  const keys = jwk['keys'];
  return Array.isArray(keys) && keys.length === 1 ? (keys[0] as Jwk) : jwk;
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}
