import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { Clock } from '@wherry/core';
import type { RevocationView } from '@wherry/revocation';
import { createIssuer, type TokenGrant } from '../issuer.ts';
import { importVerificationKey, jwkThumbprint } from '../jwk.ts';
import type { KeySource, SigningAlgorithm, SigningKey, SigningKeySource, VerificationKey } from '../key-source.ts';
import type { PublicJwk } from '../new-key.ts';
import { createSignature } from '../signature.ts';
import { createVerifier, type Verifier, type VerifierOptions } from '../verifier.ts';

/** A key pair for tests, made at once. */
export interface TestKey {
  readonly kid: string;
  readonly alg: SigningAlgorithm;
  readonly jwk: PublicJwk;
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
  readonly verification: VerificationKey;
}

/** Makes a key pair of `alg`. */
export function testKey(alg: SigningAlgorithm = 'ES256'): TestKey {
  const { publicKey, privateKey } = pairOf(alg);
  const exported = publicKey.export({ format: 'jwk' });
  const kid = jwkThumbprint(exported);
  const jwk: PublicJwk = { ...exported, kid, alg, use: 'sig' };
  return { kid, alg, jwk, publicKey, privateKey, verification: importVerificationKey(jwk) };
}

function pairOf(alg: SigningAlgorithm): { publicKey: KeyObject; privateKey: KeyObject } {
  if (alg === 'ES256') return generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return alg === 'RS256' ? generateKeyPairSync('rsa', { modulusLength: 2048 }) : generateKeyPairSync('ed25519');
}

/** A key set that tests change by hand. */
export class TestKeys implements KeySource, SigningKeySource {
  readonly #keys = new Map<string, TestKey>();
  version = 0;
  staleMs = 0;

  constructor(...keys: TestKey[]) {
    for (const key of keys) this.add(key);
  }

  add(key: TestKey): void {
    this.#keys.set(key.kid, key);
    this.version++;
  }

  remove(kid: string): void {
    this.#keys.delete(kid);
    this.version++;
  }

  get size(): number {
    return this.#keys.size;
  }

  find(kid: string): VerificationKey | undefined {
    return this.#keys.get(kid)?.verification;
  }

  signingKey(): SigningKey {
    const [key] = this.#keys.values();
    if (key === undefined) throw new Error('the test has no key');
    return { kid: key.kid, alg: key.alg, privateKey: key.privateKey, longestLifeS: 3600 };
  }
}

/** Revocations that tests change by hand. */
export class TestRevocations implements RevocationView {
  readonly #sessions = new Set<string>();
  readonly #tokens = new Set<string>();
  readonly #families = new Set<string>();
  readonly #bounds = new Map<string, number>();
  readonly #generations = new Map<string, number>();
  issuerNotBefore = 0;
  version = 0;
  staleMs = 0;

  endSession(sid: string): void {
    this.#sessions.add(sid);
    this.version++;
  }

  raise(userId: string, generation: number): void {
    this.#generations.set(userId, generation);
    this.version++;
  }

  revokeUpTo(second: number): void {
    this.issuerNotBefore = second;
    this.version++;
  }

  endToken(jti: string): void {
    this.#tokens.add(jti);
    this.version++;
  }

  endFamily(fam: string): void {
    this.#families.add(fam);
    this.version++;
  }

  changeSession(sid: string, notBefore: number): void {
    this.#bounds.set(sid, notBefore);
    this.version++;
  }

  sessionTokensNotBefore(sid: string): number {
    return this.#bounds.get(sid) ?? 0;
  }

  isFamilyEnded(fam: string): boolean {
    return this.#families.has(fam);
  }

  isTokenEnded(jti: string): boolean {
    return this.#tokens.has(jti);
  }

  isSessionEnded(sid: string): boolean {
    return this.#sessions.has(sid);
  }

  minimumGeneration(userId: string): number {
    return this.#generations.get(userId) ?? 0;
  }
}

/** A clock that stands until it is moved, in both directions. */
export class TestClock implements Clock {
  ms: number = Date.UTC(2026, 0, 1);

  get second(): number {
    return Math.floor(this.ms / 1000);
  }

  now(): number {
    return this.ms;
  }

  monotonic(): number {
    return this.ms;
  }
}

export const ISSUER = 'https://auth.example';
export const AUDIENCE = 'https://api.example';

/** An issuer and a verifier that belong together. */
export class TestAuthority {
  readonly key: TestKey;
  readonly keys: TestKeys;
  readonly revocations: TestRevocations = new TestRevocations();
  readonly clock: TestClock = new TestClock();

  constructor(key: TestKey = testKey()) {
    this.key = key;
    this.keys = new TestKeys(key);
  }

  verifier(options: Partial<VerifierOptions> = {}): Verifier {
    const { keys, revocations, clock } = this;
    return createVerifier({ keys, revocations, clock, issuer: ISSUER, audience: AUDIENCE, maxLifeS: 3600, ...options });
  }

  issue(grant: Partial<TokenGrant> = {}): string {
    const { second } = this.clock;
    return createIssuer({ keys: this.keys, issuer: ISSUER, audience: AUDIENCE, lifeS: 600 }).issue({
      userId: '42',
      authorities: ['ROLE_USER', 'orders:read'],
      username: 'ann',
      clientId: 'web',
      sessionId: 77n,
      generation: 1,
      issuedAt: second,
      authTime: second,
      sessionExpiresAt: null,
      ...grant,
    }).token;
  }

  /** Claims as issued, for tests that change them. */
  claims(): Record<string, unknown> {
    return claimsOf(this.issue());
  }

  /** Signs anything, well formed or not: header and payload as values, or as text that is taken as it stands. */
  sign(header: unknown, payload: unknown, key: TestKey = this.key): string {
    const input = `${segment(header)}.${segment(payload)}`;
    return `${input}.${createSignature(key.alg, key.privateKey, Buffer.from(input, 'latin1')).toString('base64url')}`;
  }

  /** A token whose header is as issued, with `changes`; its signature is right. */
  withHeader(changes: Record<string, unknown>): string {
    return this.sign({ typ: 'at+jwt', alg: this.key.alg, kid: this.key.kid, ...changes }, this.claims());
  }

  /** A token whose claims are as issued, with `changes`; its signature is right. */
  withClaims(changes: Record<string, unknown>): string {
    return this.sign({ typ: 'at+jwt', alg: this.key.alg, kid: this.key.kid }, { ...this.claims(), ...changes });
  }
}

/** The claims of a token, believed without looking. */
export function claimsOf(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8')) as Record<string, unknown>;
}

/** Base64url of JSON, or of text that is taken as it stands. */
export function segment(value: unknown): string {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value), 'utf8').toString('base64url');
}
