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

/** What a turn is for: a log-in's check, or the hash of a new password. */
type PasswordPurpose = 'check' | 'new';

interface Waiting {
  readonly purpose: PasswordPurpose;
  readonly start: () => void;
}

/** Longest password that is accepted, in UTF-16 units: a longer one would only cost time. */
export const MAX_PASSWORD_LENGTH = 256;
/** Shortest one that can be chosen (NIST SP 800-63B section 3.1.1.2 has 8 as the least). */
export const MIN_PASSWORD_LENGTH = 8;

/**
 * Hashes and checks passwords with argon2id (RFC 9106; OWASP's parameters: 19 MiB, 2 passes, 1 lane). Computations are
 * few at a time and few wait, so that a flood of log-ins ends in `passwords_busy` and not in a process that stands still.
 * New passwords take at most half of the turns and half of the line, so that a flood of registrations keeps nobody from logging in.
 */
export class Passwords {
  readonly #options: { readonly memoryCost: number; readonly timeCost: number; readonly parallelism: number };
  readonly #concurrency: number;
  readonly #maxWaiting: number;
  readonly #waiting: Waiting[] = [];
  readonly #nobody: Promise<string>;
  readonly #running = { check: 0, new: 0 };
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

  /** Asks for a place before anything is spent on what it is for. Errors: `passwords_busy`. */
  checkRoom(purpose: PasswordPurpose): void {
    if (!this.#mayStart(purpose) && !this.#mayWait(purpose)) throw busy();
  }

  /** The PHC string of a new password. Errors: `passwords_busy`. */
  async hash(password: string): Promise<string> {
    return this.#inTurn('new', async () => hash(composed(password), this.#options));
  }

  /**
   * True when `password` is the one of `stored`. Without `stored` the same work is done and the answer is false, so that
   * the time does not tell whether there is such a user. Errors: `passwords_busy`.
   */
  async matches(stored: string | undefined, password: string): Promise<boolean> {
    return this.#inTurn('check', async () => {
      const equal = await verify(stored ?? (await this.#nobody), composed(password));
      return equal && stored !== undefined;
    });
  }

  async #inTurn<T>(purpose: PasswordPurpose, work: () => Promise<T>): Promise<T> {
    if (this.#mayStart(purpose)) this.#running[purpose]++;
    else {
      if (!this.#mayWait(purpose)) throw busy();
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.push({ purpose, start: resolve });
      // Whoever leaves counts this one in before it goes on.
      await promise;
    }
    try {
      this.#computed++;
      return await work();
    } finally {
      this.#running[purpose]--;
      this.#startNext();
    }
  }

  /** Whether there is a turn; nobody who waits could take it, or he would have. */
  #mayStart(purpose: PasswordPurpose): boolean {
    const { check, new: made } = this.#running;
    return check + made < this.#concurrency && (purpose === 'check' || made < half(this.#concurrency));
  }

  #mayWait(purpose: PasswordPurpose): boolean {
    if (this.#waiting.length >= this.#maxWaiting) return false;
    return purpose === 'check' || this.#waiting.filter((one) => one.purpose === 'new').length < half(this.#maxWaiting);
  }

  /** The first of the line whose turn it may be. */
  #startNext(): void {
    const at = this.#waiting.findIndex(({ purpose }) => this.#mayStart(purpose));
    const next = at < 0 ? undefined : this.#waiting.splice(at, 1)[0];
    if (next === undefined) return;
    this.#running[next.purpose]++;
    next.start();
  }
}

/** The share of new passwords: half, and one of one. */
function half(whole: number): number {
  return Math.max(1, Math.floor(whole / 2));
}

function busy(): WherryError {
  return new WherryError('passwords_busy', 'too many passwords are being checked; try again in a moment', { retryAfter: 1 });
}

/** One keyboard's é is another one's e and accent (RFC 8265 section 4.2). */
function composed(password: string): string {
  return password.normalize('NFC');
}
