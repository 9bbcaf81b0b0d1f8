import { isWherryError, pause, silentLogger, systemClock, type Clock, type Component, type Logger } from '@wherry/core';
import type { Instance } from '@wherry/core/control';
import { DEFAULT_RSA_BITS } from './key-policy.ts';
import type { KeyRing } from './key-ring.ts';
import type { SigningAlgorithm } from './key-source.ts';
import type { KeyStore } from './key-store.ts';
import { newKey } from './new-key.ts';

/** Options of {@link KeyKeeper}. Times in milliseconds. */
export interface KeyKeeperOptions {
  readonly store: KeyStore;
  readonly ring: KeyRing;
  /** This process's registration; its id changes when the lease was lost. */
  readonly instance: Pick<Instance, 'id' | 'poke'>;
  /** `shared`: one key for all issuers, kept sealed. `process`: a key of this process's own, made at its start. */
  readonly mode: 'shared' | 'process';
  /** Default ES256. */
  readonly alg?: SigningAlgorithm;
  /** Of RS256; default 2048. */
  readonly rsaBits?: number;
  /** How often due steps are looked for; default 2000. */
  readonly everyMs?: number;
  /** Age at which the key that signs, the shared one or this process's own, gets a successor; default 30 days. */
  readonly rotateAfterMs?: number;
  /** How often the use of keys is written down; default 60000. */
  readonly usesEveryMs?: number;
  /** Longest wait for a first key that signs; default 10000. */
  readonly readyMs?: number;
  readonly log?: Logger;
  readonly clock?: Clock;
}

const WAITING_MS = 50;
const MONTH_MS = 30 * 24 * 3600 * 1000;

/**
 * Keeps a key signing: makes the first one, takes over what is due, rotates by age, and looks after the keys of
 * processes that are gone. Every issuer runs one; they may all run at once.
 */
export class KeyKeeper implements Component {
  readonly name = 'key-keeper';
  readonly #options: KeyKeeperOptions;
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #stop = new AbortController();
  /** This process's own keys that sign or will, and when the last of them was made. */
  #own: readonly string[] = [];
  #ownMadeAt = Number.NEGATIVE_INFINITY;
  #announced = false;
  #usesFlushedAt: number;
  #loop: Promise<void> | undefined;

  constructor(options: KeyKeeperOptions) {
    this.#options = options;
    this.#log = options.log ?? silentLogger;
    this.#clock = options.clock ?? systemClock;
    this.#usesFlushedAt = this.#clock.monotonic();
  }

  /** Resolves when a key signs, or after `readyMs`: issuing then answers `signing_key_unavailable` until one does. */
  async run(): Promise<void> {
    await this.#tend();
    this.#loop = this.#tendOn();
    const deadline = this.#clock.monotonic() + (this.#options.readyMs ?? 10_000);
    while (!this.#options.ring.canSign && this.#clock.monotonic() < deadline && !this.#stop.signal.aborted) await pause(5);
    if (!this.#options.ring.canSign) this.#log.warn('no key signs yet: a verifier has not acknowledged it');
  }

  /** Retires this process's own keys: they have signed their last token. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#loop;
    const { store, ring } = this.#options;
    await ring.flushUses().catch((error: unknown) => this.#log.warn('the last use of the keys could not be written down', { error }));
    for (const kid of this.#own) {
      await store.retire(kid, { actor: 'system', reason: 'its process ends' }).catch((error: unknown) => {
        if (!isWherryError(error, 'not_found')) this.#log.warn('the own key could not be retired; another instance will', { error });
      });
    }
  }

  async #tendOn(): Promise<void> {
    let waiting = true;
    let failures = 0;
    while (!this.#stop.signal.aborted) {
      await pause(waiting ? WAITING_MS : (this.#options.everyMs ?? 2000), this.#stop.signal);
      if (this.#stop.signal.aborted) return;
      try {
        waiting = await this.#tend();
        failures = 0;
      } catch (error) {
        waiting = false;
        if (failures++ === 0) this.#log.warn('the signing keys could not be looked after; trying again', { error });
      }
    }
  }

  /** One round. Answers whether a key waits to be acknowledged. */
  async #tend(): Promise<boolean> {
    const { store, instance } = this.#options;
    if (this.#options.mode === 'process') await this.#tendOwn();
    else await this.#tendShared();
    const { steps, waiting } = await store.maintain();
    for (const { kid, to } of steps) this.#log.info('a signing key changed its state', { kid, to });
    if (steps.length > 0) instance.poke();
    await this.#flushUses();
    return waiting || !this.#options.ring.canSign;
  }

  async #flushUses(): Promise<void> {
    const now = this.#clock.monotonic();
    if (now - this.#usesFlushedAt < (this.#options.usesEveryMs ?? 60_000)) return;
    this.#usesFlushedAt = now;
    await this.#options.ring.flushUses();
  }

  async #tendShared(): Promise<void> {
    const { store, alg = 'ES256', rsaBits = DEFAULT_RSA_BITS, rotateAfterMs = MONTH_MS } = this.#options;
    if (!this.#announced) await store.announce({ alg, rsaBits });
    this.#announced = true;
    await store.ensureShared(alg, rotateAfterMs);
  }

  /** Makes a key of this process's own, another when that is old or was retired. */
  async #tendOwn(): Promise<void> {
    const { store, ring, instance, alg = 'ES256', rsaBits = DEFAULT_RSA_BITS, rotateAfterMs = MONTH_MS } = this.#options;
    const owner = instance.id;
    const known = await store.list();
    const ahead: string[] = [];
    for (const kid of this.#own) {
      const key = known.find((other) => other.kid === kid && other.state !== 'retiring');
      // The lease was lost and won anew: the key goes on under the new registration unless others have retired it.
      if (key !== undefined && (key.ownerInstance === owner || (await store.adoptOwn(kid, owner)))) ahead.push(kid);
    }
    this.#own = ahead;
    // One at a time: a successor that waits is not old.
    if (ahead.length > 1 || (ahead.length === 1 && this.#clock.monotonic() - this.#ownMadeAt <= rotateAfterMs)) return;
    const key = await newKey(alg, rsaBits);
    ring.hold(key.kid, key.privateKey);
    await store.publishOwn(key, owner);
    this.#own = [...ahead, key.kid];
    this.#ownMadeAt = this.#clock.monotonic();
  }
}
