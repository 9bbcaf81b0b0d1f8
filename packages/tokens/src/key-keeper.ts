import { isWherryError, pause, silentLogger, systemClock, type Clock, type Component, type Logger } from '@wherry/core';
import type { Instance } from '@wherry/core/control';
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
  /** How often due steps are looked for; default 2000. */
  readonly everyMs?: number;
  /** Age at which the active shared key is rotated; default 30 days. */
  readonly rotateAfterMs?: number;
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
  /** This process's own key. */
  #own: string | undefined;
  #loop: Promise<void> | undefined;

  constructor(options: KeyKeeperOptions) {
    this.#options = options;
    this.#log = options.log ?? silentLogger;
    this.#clock = options.clock ?? systemClock;
  }

  /** Resolves when a key signs, or after `readyMs`: issuing then answers `signing_key_unavailable` until one does. */
  async run(): Promise<void> {
    await this.#tend();
    this.#loop = this.#tendOn();
    const deadline = this.#clock.monotonic() + (this.#options.readyMs ?? 10_000);
    while (!this.#options.ring.canSign && this.#clock.monotonic() < deadline && !this.#stop.signal.aborted) await pause(5);
    if (!this.#options.ring.canSign) this.#log.warn('no key signs yet: a verifier has not acknowledged it');
  }

  /** Retires this process's own key: it has signed its last token. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#loop;
    if (this.#own === undefined) return;
    await this.#options.store.retire(this.#own, { actor: 'system', reason: 'its process ends' }).catch((error: unknown) => {
      if (!isWherryError(error, 'not_found')) this.#log.warn('the own key could not be retired; another instance will', { error });
    });
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
    return waiting || !this.#options.ring.canSign;
  }

  async #tendShared(): Promise<void> {
    const { store, alg = 'ES256', rotateAfterMs = MONTH_MS } = this.#options;
    await store.ensureShared(alg, rotateAfterMs);
  }

  /** Makes a key of this process's own, again when the one it had was retired. */
  async #tendOwn(): Promise<void> {
    const { store, ring, instance, alg = 'ES256' } = this.#options;
    const owner = instance.id;
    const own = this.#own === undefined ? undefined : (await store.list()).find(({ kid }) => kid === this.#own);
    if (own?.ownerInstance === owner && own.state !== 'retiring') return;
    // The lease was lost and won anew: the key goes on under the new registration unless others have retired it.
    if (own !== undefined && (await store.adoptOwn(own.kid, owner))) return;
    const key = await newKey(alg);
    ring.hold(key.kid, key.privateKey);
    await store.publishOwn(key, owner);
    this.#own = key.kid;
  }
}
