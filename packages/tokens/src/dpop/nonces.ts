import { createHmac, timingSafeEqual, type KeyObject } from 'node:crypto';
import { deriveKey, systemClock, type Clock } from '@wherry/core';

/** Options of {@link DpopNonces}. */
export interface DpopNoncesOptions {
  /** 32 bytes, the same for all instances: each then knows the nonces of the others. */
  readonly masterKey: Uint8Array;
  /** A nonce is good for this long at least and twice as long at most, milliseconds; default 120000. */
  readonly periodMs?: number;
  readonly clock?: Clock;
}

const BYTES = 18;

/**
 * Nonces for proofs (RFC 9449 section 8), which show that a proof was not made long in advance. Nothing is stored: a
 * nonce follows from the time and a secret.
 */
export class DpopNonces {
  readonly #key: KeyObject;
  readonly #periodMs: number;
  readonly #clock: Clock;
  readonly #made = new Map<number, Buffer>();

  constructor({ masterKey, periodMs = 120_000, clock = systemClock }: DpopNoncesOptions) {
    this.#key = deriveKey(masterKey, 'dpop-nonce');
    this.#periodMs = periodMs;
    this.#clock = clock;
  }

  /** For the header `DPoP-Nonce`. */
  get current(): string {
    return this.#nonce(this.#period).toString('latin1');
  }

  /** True for the nonce of this period, of the one before, and of the one that an instance with a faster clock is in. */
  accepts(nonce: string): boolean {
    const given = Buffer.from(nonce, 'utf8');
    const now = this.#period;
    return [now, now - 1, now + 1].some((period) => {
      const expected = this.#nonce(period);
      return given.length === expected.length && timingSafeEqual(given, expected);
    });
  }

  get #period(): number {
    return Math.floor(this.#clock.now() / this.#periodMs);
  }

  #nonce(period: number): Buffer {
    const known = this.#made.get(period);
    if (known !== undefined) return known;
    if (this.#made.size >= 8) this.#made.clear();
    const mac = createHmac('sha256', this.#key).update(String(period)).digest();
    const nonce = Buffer.from(mac.subarray(0, BYTES).toString('base64url'), 'latin1');
    this.#made.set(period, nonce);
    return nonce;
  }
}
