import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { SignJWT, calculateJwkThumbprint, exportJWK, type JWTPayload } from 'jose';
import { beforeEach, describe, expect, test } from 'vitest';
import { TestAuthority, TestClock, segment, testKey, type TestKey } from '../testing/fixtures.ts';
import { createSignature } from '../signature.ts';
import type { SigningAlgorithm } from '../key-source.ts';
import { verifyBoundToken } from './bound-token.ts';
import { DpopNonces } from './nonces.ts';
import { ProofMemory } from './proof-memory.ts';
import { verifyDpopProof, type DpopOptions, type DpopRequest } from './proof.ts';

const URL = 'https://api.example/orders/7';
const clock = new TestClock();
const key = testKey();
let memory = new ProofMemory();
beforeEach(() => {
  memory = new ProofMemory();
});

/** The public key as it stands in a proof. */
function jwkOf(from: TestKey | KeyObject): Record<string, unknown> {
  const { kty, crv, x, y, n, e } = ('publicKey' in from ? from.publicKey : from).export({ format: 'jwk' });
  return Object.fromEntries(Object.entries({ kty, crv, x, y, n, e }).filter(([, value]) => value !== undefined));
}

let made = 0;
interface Changes {
  readonly header?: Record<string, unknown>;
  readonly claims?: Record<string, unknown>;
  readonly signer?: { readonly alg: SigningAlgorithm; readonly privateKey: KeyObject };
}
/** A proof that holds but for the changes; its signature is right for what it says. */
function proofWith({ header = {}, claims = {}, signer = key }: Changes = {}): string {
  return rawProof(
    { typ: 'dpop+jwt', alg: signer.alg, jwk: jwkOf(key), ...header },
    { jti: `id-${made++}`, htm: 'GET', htu: URL, iat: clock.second, ...claims },
    signer,
  );
}
function rawProof(header: unknown, claims: unknown, signer: { alg: SigningAlgorithm; privateKey: KeyObject } = key): string {
  const input = `${segment(header)}.${segment(claims)}`;
  return `${input}.${createSignature(signer.alg, signer.privateKey, Buffer.from(input, 'latin1')).toString('base64url')}`;
}
function outcome(proof: string | readonly string[], request: Partial<DpopRequest> = {}, options: Partial<DpopOptions> = {}): string {
  const proofs = typeof proof === 'string' ? [proof] : proof;
  const result = verifyDpopProof({ proofs, method: 'GET', url: URL, ...request }, { memory, clock, ...options });
  return result.ok ? 'accepted' : result.reason;
}

describe('the example of the standard', () => {
  // RFC 9449 sections 4.1 and 6.1.
  const proof =
    'eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.' +
    'eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.' +
    '2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg';
  const then = new TestClock();
  then.ms = 1_562_262_620_000;

  test('holds for its request', () => {
    const request = { proofs: [proof], method: 'POST', url: 'https://server.example.com/token' };
    expect(verifyDpopProof(request, { memory, clock: then })).toMatchObject({
      ok: true,
      jkt: '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I',
    });
  });
});

describe.each(['ES256', 'RS256', 'EdDSA'] as const)('%s, made by jose', (alg) => {
  const pair = testKey(alg);
  const make = async (claims: JWTPayload = {}): Promise<string> =>
    new SignJWT({ jti: crypto.randomUUID(), htm: 'GET', htu: URL, iat: clock.second, ...claims })
      .setProtectedHeader({ typ: 'dpop+jwt', alg, jwk: await exportJWK(pair.publicKey) })
      .sign(pair.privateKey);

  test('holds, and names the key as jose does', async () => {
    const result = verifyDpopProof({ proofs: [await make()], method: 'GET', url: URL }, { memory, clock });
    expect(result).toMatchObject({ ok: true, jkt: await calculateJwkThumbprint(await exportJWK(pair.publicKey)) });
  });

  test('says so once', async () => {
    const proof = await make();
    expect([outcome(proof), outcome(proof)]).toEqual(['accepted', 'dpop_proof_replayed']);
  });
});

describe('form (1), (2), (3)', () => {
  test('one header, one proof', () => {
    expect(outcome([])).toBe('dpop_proof_malformed');
    expect(outcome([proofWith(), proofWith()])).toBe('dpop_proof_malformed');
    const twice = proofWith();
    expect(outcome([twice, twice])).toBe('dpop_proof_malformed');
    expect(outcome(`${proofWith()}, ${proofWith()}`)).toBe('dpop_proof_malformed');
  });

  test.each(['', '.', '..', '...', 'a.b.c', 'null', ' '.repeat(10)])('no proof at all: %j', (text) => {
    expect(outcome(text)).toBe('dpop_proof_malformed');
  });

  test('longer than any', () => {
    expect(outcome(proofWith({ claims: { more: 'x'.repeat(4096) } }))).toBe('dpop_proof_malformed');
  });

  test('texts that are not canonical', () => {
    const proof = proofWith();
    for (const other of [`${proof}=`, `${proof} `, ` ${proof}`, proof.replace('.', '=.'), `${proof}\n`])
      expect(outcome(other)).toBe('dpop_proof_malformed');
    expect(outcome(proof)).toBe('accepted');
  });

  test.each<[string, Record<string, unknown>]>([
    ['jti missing', { jti: undefined }],
    ['jti empty', { jti: '' }],
    ['jti a number', { jti: 1 }],
    ['jti longer than any', { jti: 'x'.repeat(1025) }],
    ['htm missing', { htm: undefined }],
    ['htm a list', { htm: ['GET', 'POST'] }],
    ['htu missing', { htu: undefined }],
    ['htu a list', { htu: [URL] }],
    ['iat missing', { iat: undefined }],
    ['iat as text', { iat: String(clock.second) }],
    ['iat fractional', { iat: clock.second + 0.5 }],
    ['iat null', { iat: null }],
    ['ath a number', { ath: 1 }],
    ['nonce a list', { nonce: [] }],
  ])('%s', (_, claims) => {
    expect(outcome(proofWith({ claims }))).toBe('dpop_proof_malformed');
  });

  test.each([
    ['htm twice', '"htm":"GET"', '"htm":"POST","htm":"GET"'],
    ['htm twice, once escaped', '"htm":"GET"', '"\\u0068tm":"POST","htm":"GET"'],
    ['jti twice', '"jti":', '"jti":"other","jti":'],
    ['a text that is half a character', '"jti":"x', '"jti":"\\ud800'],
    ['iat NaN', /"iat":\d+/, '"iat":NaN'],
  ])('claims: %s', (_, from, to) => {
    const claims = JSON.stringify({ jti: 'x', htm: 'GET', htu: URL, iat: clock.second });
    expect(claims.replace(from, to)).not.toBe(claims);
    expect(outcome(rawProof({ typ: 'dpop+jwt', alg: 'ES256', jwk: jwkOf(key) }, claims.replace(from, to)))).toBe('dpop_proof_malformed');
  });
});

describe('header (4), (5)', () => {
  test.each<[string, Record<string, unknown>]>([
    ['typ missing', { typ: undefined }],
    ['typ of an access token', { typ: 'at+jwt' }],
    ['typ JWT', { typ: 'JWT' }],
    ['typ in capitals', { typ: 'DPOP+JWT' }],
    ['alg none', { alg: 'none' }],
    ['alg None', { alg: 'None' }],
    ['alg HS256, under the public key as a secret', { alg: 'HS256' }],
    ['alg ES384', { alg: 'ES384' }],
    ['alg PS256', { alg: 'PS256' }],
    ['alg as a list', { alg: ['ES256'] }],
    ['jwk missing', { jwk: undefined }],
    ['jwk null', { jwk: null }],
    ['jwk as text', { jwk: JSON.stringify(jwkOf(key)) }],
    ['jwk as a list', { jwk: [jwkOf(key)] }],
    ['kid beside', { kid: key.kid }],
    ['jku beside', { jku: 'https://attacker.example' }],
    ['x5c beside', { x5c: [] }],
    ['crit', { crit: ['b64'], b64: false }],
  ])('%s', (_, header) => {
    expect(outcome(proofWith({ header }))).toBe('dpop_proof_malformed');
  });

  test('jwk twice', () => {
    const header = JSON.stringify({ typ: 'dpop+jwt', alg: 'ES256', jwk: jwkOf(key) });
    const doubled = header.replace('"jwk":', `"jwk":${JSON.stringify(jwkOf(testKey()))},"jwk":`);
    expect(outcome(rawProof(doubled, { jti: 'x', htm: 'GET', htu: URL, iat: clock.second }))).toBe('dpop_proof_malformed');
  });
});

describe('key and signature (6), (7)', () => {
  const weak = generateKeyPairSync('rsa', { modulusLength: 1024 });
  const huge = { kty: 'RSA', e: 'AQAB', n: Buffer.alloc(513, 0xff).toString('base64url') };
  const rsa = jwkOf(testKey('RS256'));
  test.each<[string, Record<string, unknown>]>([
    ['with its private part', { jwk: key.privateKey.export({ format: 'jwk' }) }],
    ['with a private part that is empty', { jwk: { ...jwkOf(key), d: '' } }],
    ['that is a secret', { jwk: { kty: 'oct', k: 'c2VjcmV0' } }],
    ['with a member that no key has', { jwk: { ...jwkOf(key), jku: 'https://attacker.example' } }],
    ['for another algorithm, as it says', { jwk: { ...jwkOf(key), alg: 'RS256' } }],
    ['for encryption', { jwk: { ...jwkOf(key), use: 'enc' } }],
    ['of another type than the algorithm', { jwk: rsa }],
    ['of another curve', { jwk: jwkOf(generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey) }],
    ['off its curve', { jwk: { ...jwkOf(key), y: jwkOf(key)['x'] } }],
    ['with a coordinate that is no text', { jwk: { ...jwkOf(key), x: [jwkOf(key)['x']] } }],
    ['of small order', { alg: 'EdDSA', jwk: { kty: 'OKP', crv: 'Ed25519', x: Buffer.alloc(32).toString('base64url') } }],
    ['of 1024 bits', { alg: 'RS256', jwk: jwkOf(weak.publicKey) }],
    ['of 4104 bits', { alg: 'RS256', jwk: huge }],
    ['with a large exponent, which takes long to check', { alg: 'RS256', jwk: { ...rsa, e: rsa['n'] } }],
    ['in a longer form, for another thumbprint of one key', { alg: 'RS256', jwk: { ...rsa, e: 'AAEAAQ' } }],
    ['without values', { jwk: {} }],
  ])('a key %s', (_, header) => {
    expect(outcome(proofWith({ header }))).toBe('dpop_key_invalid');
  });

  test('a signature by another key than the one in the proof', () => {
    expect(outcome(proofWith({ signer: testKey() }))).toBe('dpop_signature_invalid');
  });

  test('a signature over something else, of zeros, or none', () => {
    const [proof, other] = [proofWith(), proofWith()];
    const cut = (text: string): string => text.slice(0, text.lastIndexOf('.'));
    expect(outcome(cut(proof) + other.slice(other.lastIndexOf('.')))).toBe('dpop_signature_invalid');
    expect(outcome(`${cut(proof)}.${Buffer.alloc(64).toString('base64url')}`)).toBe('dpop_signature_invalid');
    expect(outcome(`${cut(proof)}.`)).toBe('dpop_signature_invalid');
    expect(outcome(proof)).toBe('accepted');
  });

  test('as browsers export keys', () => {
    expect(outcome(proofWith({ header: { jwk: { ...jwkOf(key), ext: true, key_ops: ['verify'] } } }))).toBe('accepted');
  });
});

describe('method and target (8), (9)', () => {
  test.each(['get', 'POST', 'GET ', 'HEAD'])('htm %j is not GET', (htm) => {
    expect(outcome(proofWith({ claims: { htm } }))).toBe('dpop_proof_mismatch');
  });

  test.each([
    URL,
    `${URL}?a=1`,
    `${URL}#part`,
    'HTTPS://API.example:443/orders/7',
    'https://api.example/x/../orders/./7',
    'https://api.example/%6Frders/7',
    'https://api.example/x/%2E%2e/orders/7',
  ])('htu %j is the target', (htu) => {
    expect(outcome(proofWith({ claims: { htu } }))).toBe('accepted');
    expect(outcome(proofWith(), { url: htu })).toBe('accepted');
  });

  test.each([
    'http://api.example/orders/7',
    'https://api.example:8443/orders/7',
    'https://api.example.attacker.example/orders/7',
    'https://attacker.example/orders/7',
    'https://api.example@attacker.example/orders/7',
    'https://user@api.example/orders/7',
    'https://api.example/orders/7/',
    'https://api.example/orders//7',
    'https://api.example/ORDERS/7',
    'https://api.example/orders%2F7',
    'https://api.example',
    'https:api.example/orders/7',
    'https:/api.example/orders/7',
    'https:\\\\api.example\\orders\\7',
    'https://api.example\\orders/7',
    'https://api.exam\tple/orders/7',
    ' https://api.example/orders/7',
    'https://api.example/orders/7\n',
    '/orders/7',
    '//api.example/orders/7',
    'javascript:alert(1)',
    'https://',
    `https://api.example/${'x'.repeat(3000)}`.slice(0, 1024),
  ])('htu %j is not', (htu) => {
    expect(outcome(proofWith({ claims: { htu } }))).toBe('dpop_proof_mismatch');
  });

  test('what differs only in what may not be decoded stays apart', () => {
    const url = 'https://api.example/a%2fb';
    expect(outcome(proofWith({ claims: { htu: 'https://api.example/a%2Fb' } }), { url })).toBe('accepted');
    expect(outcome(proofWith({ claims: { htu: 'https://api.example/a/b' } }), { url })).toBe('dpop_proof_mismatch');
  });

  test('a request whose own URL is none matches no proof', () => {
    for (const url of ['', '/orders/7', 'https://'])
      expect(outcome(proofWith({ claims: { htu: url === '' ? 'x' : url } }), { url })).toBe('dpop_proof_mismatch');
  });
});

describe('time and nonce (10), (11)', () => {
  test('a minute back, half a minute ahead, to the second', () => {
    const at = (offset: number): string => outcome(proofWith({ claims: { iat: clock.second + offset } }));
    expect([-61, -60, 0, 30, 31].map(at)).toEqual(['dpop_proof_untimely', 'accepted', 'accepted', 'accepted', 'dpop_proof_untimely']);
    expect(at(1e9)).toBe('dpop_proof_untimely');
    expect(outcome(proofWith({ claims: { iat: clock.ms } }))).toBe('dpop_proof_untimely');
  });

  test('a nonce where one is asked for, of any instance, until its time is over', () => {
    const masterKey = Buffer.alloc(32, 7);
    const own = new TestClock();
    const nonces = new DpopNonces({ masterKey, clock: own });
    const { current } = new DpopNonces({ masterKey, clock: own });
    const at = (nonce: unknown): string => outcome(proofWith({ claims: { nonce, iat: own.second } }), {}, { nonces, clock: own });
    expect(at(undefined)).toBe('dpop_nonce_required');
    for (const wrong of ['x', `${current} `, current.slice(1), 'A'.repeat(24)]) expect(at(wrong)).toBe('dpop_nonce_required');
    expect(at(new DpopNonces({ masterKey: Buffer.alloc(32, 8), clock: own }).current)).toBe('dpop_nonce_required');
    expect(at(current)).toBe('accepted');
    own.ms += 120_000;
    expect(at(current)).toBe('accepted');
    own.ms += 120_000;
    expect(at(current)).toBe('dpop_nonce_required');
    expect(at(nonces.current)).toBe('accepted');
  });
});

describe('access token (12)', () => {
  const authority = new TestAuthority();
  const token = authority.issue({ cnf: { jkt: key.kid } });
  const ath = createHash('sha256').update(token).digest('base64url');
  const judged = (proof: string, presented = token): string => {
    const result = verifyBoundToken(authority.verifier(), presented, { proofs: [proof], method: 'GET', url: URL }, { memory, clock });
    return result.ok ? 'accepted' : result.reason;
  };

  test('the example of the standard', () => {
    const example = 'Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU';
    const proof = proofWith({ claims: { ath: 'fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo' } });
    expect(outcome(proof, { accessToken: { token: example, jkt: key.kid } })).toBe('accepted');
  });

  test('holds with the proof for it, under its key', () => {
    expect(judged(proofWith({ claims: { ath } }))).toBe('accepted');
  });

  test('a proof for no token, or another', () => {
    for (const other of [undefined, createHash('sha256').update(authority.issue()).digest('base64url'), `${ath}=`, ath.toUpperCase()])
      expect(judged(proofWith({ claims: { ath: other } }))).toBe('dpop_proof_mismatch');
  });

  test('a stolen token with a proof of the thief', () => {
    const thief = testKey();
    expect(judged(proofWith({ header: { jwk: jwkOf(thief) }, claims: { ath }, signer: thief }))).toBe('dpop_key_wrong');
    expect(memory.size).toBe(0);
  });

  test('a stolen token with a proof that was seen', () => {
    const seen = proofWith({ claims: { ath } });
    expect([judged(seen), judged(seen)]).toEqual(['accepted', 'dpop_proof_replayed']);
  });

  test('a free token gains nothing by a proof, and a proof without a token that holds leaves nothing behind', () => {
    const free = authority.issue();
    const proof = proofWith({ claims: { ath: createHash('sha256').update(free).digest('base64url') } });
    expect(judged(proof, free)).toBe('token_bound');
    expect(judged(proof, `${free}x`)).toMatch(/^token_/);
    expect(memory.size).toBe(0);
  });
});

test('what was refused can still be used once it is right: only what held is remembered', () => {
  const proof = proofWith();
  expect(outcome(proof, { method: 'POST' })).toBe('dpop_proof_mismatch');
  expect(outcome(proof, {}, { nonces: new DpopNonces({ masterKey: Buffer.alloc(32), clock }) })).toBe('dpop_nonce_required');
  expect(outcome(proof)).toBe('accepted');
});
