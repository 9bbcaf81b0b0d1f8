/** A log-in that comes later than this has other reasons, milliseconds. */
const SOON_MS = 900_000;
/** Users who are remembered; the oldest goes first. */
const MOST = 50_000;

/**
 * Users whose credential was refused for no doing of theirs: neither had they logged out nor had an operator ended what
 * they had. Whoever signs in soon afterwards was signed out by us, which a guardrail is to know.
 */
export class ForcedSignOuts {
  /** When it was, epoch ms; the oldest in front. */
  readonly #users = new Map<string, number>();

  refused(userId: string, now: number): void {
    this.#users.delete(userId);
    this.#users.set(userId, now);
    if (this.#users.size <= MOST) return;
    const [oldest] = this.#users.keys();
    if (oldest !== undefined) this.#users.delete(oldest);
  }

  /** True for a log-in that follows such a refusal; each counts once. */
  signedIn(userId: string, now: number): boolean {
    const at = this.#users.get(userId);
    if (at === undefined) return false;
    this.#users.delete(userId);
    return now - at <= SOON_MS;
  }
}
