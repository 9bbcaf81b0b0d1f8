import type { SessionCookie } from '@wherry/sessions';
import type { Caller } from './caller.ts';
import { cookieCredential, type SessionCredential } from './credential.ts';
import type { Outcome } from './outcome.ts';

/** What a comparison found. */
export type Difference = 'same' | 'user' | 'authorities' | 'session' | 'unknown';

/** Options of {@link Comparison}. */
export interface ComparisonOptions {
  readonly cookie: SessionCookie | undefined;
  readonly judge: (credential: SessionCredential) => Outcome | Promise<Outcome>;
  /** Whether the credential still holds now. */
  readonly stillHolds: (caller: Caller) => boolean;
  /** Told of each comparison that came to an end. */
  readonly onCompared: (caller: Caller, difference: Difference) => void;
}

/** A token is compared at most this often, milliseconds. */
const EVERY_MS = 10_000;
const AT_ONCE = 32;

/**
 * Compares token and session of requests that carry both. The token has decided already; a difference is only counted:
 * it says that the way back to sessions would change what a user may do, or who he is.
 */
export class Comparison {
  readonly #options: ComparisonOptions;
  readonly #found: Record<Difference, number> = { same: 0, user: 0, authorities: 0, session: 0, unknown: 0 };
  readonly #busy = new Set<Promise<void>>();

  constructor(options: ComparisonOptions) {
    this.#options = options;
  }

  /** How often each was found. */
  get found(): Readonly<Record<Difference, number>> {
    return this.#found;
  }

  /** Compares in the background, if it is time to and there is a cookie. `now`: epoch ms. Never throws. */
  consider(caller: Caller, rawHeaders: readonly string[], now: number): void {
    if (now < caller.compareDue || this.#options.cookie === undefined || this.#busy.size >= AT_ONCE) return;
    const credential = cookieCredential(rawHeaders, this.#options.cookie);
    if (credential.kind === 'refused') {
      // No cookie is nothing to compare; one that was not signed by the application names no session.
      if (credential.refusal.kind === 'cookie') this.#note(caller, now, 'unknown');
      return;
    }
    caller.compareDue = now + EVERY_MS;
    const work = this.#compare(caller, credential);
    this.#busy.add(work);
    void work.finally(() => this.#busy.delete(work));
  }

  /** Resolves when nothing is under way. */
  async drained(): Promise<void> {
    await Promise.all(this.#busy);
  }

  async #compare(caller: Caller, credential: SessionCredential): Promise<void> {
    let difference: Difference;
    try {
      difference = differenceOf(caller, await this.#options.judge(credential));
    } catch {
      difference = 'unknown';
    }
    // The session was read after the token was judged: an end in between is no difference.
    if (difference !== 'same' && !this.#options.stillHolds(caller)) return;
    this.#found[difference]++;
    this.#options.onCompared(caller, difference);
  }

  #note(caller: Caller, now: number, difference: Difference): void {
    caller.compareDue = now + EVERY_MS;
    this.#found[difference]++;
  }
}

function differenceOf({ principal, sessionId }: Caller, session: Outcome): Difference {
  if (!session.ok) return session.answer.status === 401 ? 'session' : 'unknown';
  if (session.principal.userId !== principal.userId) return 'user';
  // Another session of the same user may rightly differ: he may have logged in again with other roles.
  if (session.sessionId !== sessionId) return 'unknown';
  const ours = new Set(principal.authorities);
  const theirs = new Set(session.principal.authorities);
  return ours.size === theirs.size && [...ours].every((authority) => theirs.has(authority)) ? 'same' : 'authorities';
}
