import { LRUCache } from 'lru-cache';

/**
 * Long enough to be as good as random: it is the end of the signature. Hashing 40 characters of a string that was just
 * read from a socket costs a quarter of hashing all 600.
 */
const TAIL = 40;

/** What is remembered of a token, with the whole token beside it. */
export interface Remembered {
  readonly token: string;
}

/**
 * A bounded memory of tokens, the least recently used goes first. Looked up by the token's last characters and then
 * compared whole, so that a token never answers for another.
 */
export class RecentTokens<T extends Remembered> {
  readonly #entries: LRUCache<string, T>;

  constructor(capacity: number) {
    this.#entries = new LRUCache({ max: capacity });
  }

  get size(): number {
    return this.#entries.size;
  }

  get(token: string): T | undefined {
    const entry = this.#entries.get(token.slice(-TAIL));
    return entry?.token === token ? entry : undefined;
  }

  add(entry: T): void {
    this.#entries.set(entry.token.slice(-TAIL), entry);
  }

  delete(token: string): void {
    const tail = token.slice(-TAIL);
    if (this.#entries.peek(tail)?.token === token) this.#entries.delete(tail);
  }
}
