import { hash, verify } from '@node-rs/argon2';
import { WherryError } from '@wherry/core';

/** Options of {@link Passwords}. */
export interface PasswordsOptions {
  /** Passwords computed at the same time; default 2. Each takes a thread of the pool that files and DNS use too. */
  readonly concurrency?: number;
  /** Most that wait; default 64. More are turned away: `passwords_busy`. */
  readonly maxWaiting?: number;
  /** Memory of one computation in KiB; default 19456. */
  readonly memoryKib?: number;
  /** Passes over the memory; default 2. */
  readonly passes?: number;
}

/** Longest password that is accepted, in UTF-16 units: a longer one would only cost time. */
export const MAX_PASSWORD_LENGTH = 256;
/** Shortest one that can be chosen (NIST SP 800-63B section 3.1.1.2 has 8 as the least). */
export const MIN_PASSWORD_LENGTH = 8;

/**
 * Hashes and checks passwords with argon2id (RFC 9106; OWASP's parameters: 19 MiB, 2 passes, 1 lane). Computations are
 * few at a time and few wait, so that a flood of log-ins ends in `passwords_busy` and not in a process that stands still.
 */
export class Passwords {
  readonly #options: { readonly memoryCost: number; readonly timeCost: number; readonly parallelism: number };
  readonly #concurrency: number;
  readonly #maxWaiting: number;
  readonly #waiting: (() => void)[] = [];
  readonly #nobody: Promise<string>;
  #running = 0;
  #computed = 0;

  constructor(options: PasswordsOptions = {}) {
    // argon2id is the library's default algorithm.
    this.#options = { memoryCost: options.memoryKib ?? 19_456, timeCost: options.passes ?? 2, parallelism: 1 };
    this.#concurrency = options.concurrency ?? 2;
    this.#maxWaiting = options.maxWaiting ?? 64;
    this.#nobody = hash('nobody has this password', this.#options);
    this.#nobody.catch(() => undefined);
  }

  /** How many hashes were computed for callers. */
  get computed(): number {
    return this.#computed;
  }

  /** How many callers wait. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** The PHC string of a new password. Errors: `passwords_busy`. */
  async hash(password: string): Promise<string> {
    return this.#inTurn(async () => hash(composed(password), this.#options));
  }

  /**
   * True when `password` is the one of `stored`. Without `stored` the same work is done and the answer is false, so that
   * the time does not tell whether there is such a user. Errors: `passwords_busy`.
   */
  async matches(stored: string | undefined, password: string): Promise<boolean> {
    return this.#inTurn(async () => {
      const equal = await verify(stored ?? (await this.#nobody), composed(password));
      return equal && stored !== undefined;
    });
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#concurrency) {
      if (this.#waiting.length >= this.#maxWaiting)
        throw new WherryError('passwords_busy', 'too many passwords are being checked; try again in a moment', { retryAfter: 1 });
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.push(resolve);
      // Whoever leaves hands his place over, so `#running` already counts this one.
      await promise;
    } else this.#running++;
    try {
      this.#computed++;
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }
}

/** One keyboard's é is another one's e and accent (RFC 8265 section 4.2). */
function composed(password: string): string {
  return password.normalize('NFC');
}
