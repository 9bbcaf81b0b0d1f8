import { createPrivateKey, type KeyObject } from 'node:crypto';
import { WherryError, type Sealer } from '@wherry/core';
import type { Database, FeedTopic } from '@wherry/core/control';
import { importVerificationKey } from './jwk.ts';
import { KEY_TOPIC } from './key-rows.ts';
import { KeyUses } from './key-uses.ts';
import {
  DEFAULT_SIGN_STALE_MS,
  type KeySource,
  type SigningAlgorithm,
  type SigningKey,
  type SigningKeySource,
  type VerificationKey,
} from './key-source.ts';
import type { KeyState } from './key-transitions.ts';
import type { PublicJwk } from './new-key.ts';

/** Options of {@link KeyRing}. */
export interface KeyRingOptions {
  readonly database: Database;
  /** Milliseconds since this process was proved to be up to date in the topic: `() => instance.staleMs(KEY_TOPIC)`. */
  readonly staleMs: () => number;
  /** As for the store; absent in processes that only verify, which then never hold a private key. */
  readonly sealer?: Sealer;
  /** Nothing is signed after being cut off for this long, milliseconds; default 60000. */
  readonly signStaleMs?: number;
}

interface Row {
  readonly reached: bigint;
  readonly kid: string | null;
  readonly alg: SigningAlgorithm;
  readonly state: KeyState;
  readonly public_jwk: PublicJwk;
  readonly sealed_private: Buffer | null;
  readonly longest_life_s: number;
  readonly owned: boolean;
}

/** A key in this process. */
interface Held {
  readonly verification: VerificationKey;
  readonly jwk: PublicJwk;
  readonly state: KeyState;
  readonly longestLifeS: number;
  readonly shared: boolean;
  /** Unsealed from the store, where this process may sign with shared keys. */
  readonly privateKey: KeyObject | undefined;
}

/**
 * The signing keys as this process knows them, followed over the feed. Verifiers find public keys in it, issuers the
 * key that signs now: this process's own where it has one that is active, else the shared one.
 */
export class KeyRing implements FeedTopic, KeySource, SigningKeySource {
  readonly topic: string = KEY_TOPIC;
  readonly #options: KeyRingOptions;
  readonly #keys = new Map<string, Held>();
  /** Private keys made here, by kid. They never leave this map. */
  readonly #own = new Map<string, KeyObject>();
  readonly #uses = new KeyUses();
  #signing: SigningKey | undefined;
  #version = 0;

  constructor(options: KeyRingOptions) {
    this.#options = options;
  }

  find(kid: string): VerificationKey | undefined {
    return this.#keys.get(kid)?.verification;
  }

  get version(): number {
    return this.#version;
  }

  get size(): number {
    return this.#keys.size;
  }

  get staleMs(): number {
    return this.#options.staleMs();
  }

  /** The public keys that anyone may need to verify a token: those that sign, will sign or have signed. */
  get publicJwks(): readonly PublicJwk[] {
    return [...this.#keys.values()].map(({ jwk }) => jwk);
  }

  signingKey(): SigningKey {
    if (this.#signing === undefined) throw new WherryError('signing_key_unavailable', 'no key of this instance signs yet');
    if (this.staleMs > (this.#options.signStaleMs ?? DEFAULT_SIGN_STALE_MS)) {
      throw new WherryError('signing_key_unavailable', 'this instance has not heard of its keys for too long to sign with them');
    }
    return this.#signing;
  }

  issued(kid: string): void {
    this.#uses.note(kid, performance.now());
  }

  /** Writes down which keys have signed how many tokens since the last time. */
  async flushUses(): Promise<void> {
    await this.#uses.flush(this.#options.database, performance.now());
  }

  /** True when a key of this process, or a shared one, signs. */
  get canSign(): boolean {
    return this.#signing !== undefined;
  }

  /** Takes a private key that was made in this process; it signs once its public part has become active. */
  hold(kid: string, privateKey: KeyObject): void {
    this.#own.set(kid, privateKey);
    this.#choose();
  }

  /** A row that cannot be taken in fails the load: it is then never acknowledged, and its key never signs. */
  async load(since: bigint): Promise<bigint> {
    const { rows } = await this.#options.database.query<Row>(
      `SELECT t.seq AS reached, k.kid, k.alg, k.state, k.public_jwk, k.sealed_private, k.longest_life_s, k.owner_instance IS NOT NULL AS owned
       FROM feed_topic t LEFT JOIN signing_key k ON k.seq > $2 AND (k.state <> 'gone' OR $2 > 0)
       WHERE t.topic = $1 ORDER BY k.created_at, k.kid`,
      [KEY_TOPIC, since],
    );
    try {
      for (const row of rows) if (row.kid !== null) this.#apply(row.kid, row);
    } finally {
      this.#choose();
    }
    return rows[0]?.reached ?? since;
  }

  #apply(kid: string, row: Row): void {
    const known = this.#keys.get(kid);
    if (row.state === 'gone') {
      this.#own.delete(kid);
      if (this.#keys.delete(kid)) this.#version++;
      return;
    }
    // The same key object stays in place: cached tokens are known to be of this key by its identity.
    const verification = known?.verification ?? importVerificationKey({ ...row.public_jwk, kid, alg: row.alg });
    const privateKey = known?.privateKey ?? this.#unseal(kid, row.sealed_private);
    this.#keys.set(kid, {
      verification,
      jwk: row.public_jwk,
      state: row.state,
      longestLifeS: row.longest_life_s,
      shared: !row.owned,
      privateKey,
    });
    if (known === undefined) this.#version++;
  }

  #unseal(kid: string, sealed: Buffer | null): KeyObject | undefined {
    const { sealer } = this.#options;
    if (sealer === undefined || sealed === null) return undefined;
    return createPrivateKey({ key: sealer.open(sealed, Buffer.from(kid, 'utf8')), format: 'der', type: 'pkcs8' });
  }

  #choose(): void {
    this.#signing = undefined;
    for (const [kid, { state, shared, verification, longestLifeS, privateKey }] of this.#keys) {
      const own = this.#own.get(kid);
      const key = own ?? (shared ? privateKey : undefined);
      if (state !== 'active' || key === undefined) continue;
      this.#signing = { kid, alg: verification.alg, privateKey: key, longestLifeS };
      if (own !== undefined) return;
    }
  }
}
