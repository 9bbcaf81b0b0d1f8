import { LRUCache } from 'lru-cache';

/**
 * Long enough to be as good as random: it is the end of the signature. Hashing 40 characters of a string that was just
 * read from a socket costs a quarter of hashing all 600.
 */
const TAIL = 40;

/** What is remembered of a token, with the whole token beside it. */
export interface Remembered {
  readonly token: string;
  /** Kept by {@link RecentTokens}: how many had been added when this one was last moved to the front. */
  movedAt: number;
}

/**
 * A bounded memory of tokens, the least recently used goes first. Looked up by the token's last characters and then
 * compared whole, so that a token never answers for another.
 */
export class RecentTokens<T extends Remembered> {
  readonly #entries: LRUCache<string, T>;
  /** Additions for which an entry stays where it is in the order, though used: nothing goes while nothing is added. */
  readonly #rest: number;
  #added = 0;

  constructor(capacity: number) {
    this.#entries = new LRUCache({ max: capacity });
    this.#rest = capacity >> 3;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(token: string): T | undefined {
    const tail = token.slice(-TAIL);
    const entry = this.#entries.peek(tail);
    if (entry?.token !== token) return undefined;
    // Moving it in the order writes to memory all over; a hot token is moved once in many additions, not at every use.
    if (this.#added - entry.movedAt > this.#rest) {
      this.#entries.get(tail);
      entry.movedAt = this.#added;
    }
    return entry;
  }

  add(entry: T): void {
    entry.movedAt = ++this.#added;
    this.#entries.set(entry.token.slice(-TAIL), entry);
  }

  delete(token: string): void {
    const tail = token.slice(-TAIL);
    if (this.#entries.peek(tail)?.token === token) this.#entries.delete(tail);
  }
}
