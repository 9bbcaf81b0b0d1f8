/** Long enough to be as good as random: the end of the signature. Hashing 40 characters is cheaper than hashing 700. */
const TAIL = 40;

/** What is remembered of a token, with the whole token beside it. */
export interface Remembered {
  readonly token: string;
}

/**
 * A bounded memory of tokens. Looked up by the token's last characters and then compared whole, so that a token never
 * answers for another.
 *
 * Two generations: what is used is in the young one or moves there; when that is full it becomes the old one, and the
 * old one goes. A hit on a token in use is one look-up and writes nothing, which a list in order of use cannot say.
 */
export class RecentTokens<T extends Remembered> {
  readonly #half: number;
  #young = new Map<string, T>();
  #old = new Map<string, T>();

  /** Holds between half of `capacity` and `capacity` tokens once it has filled. */
  constructor(capacity: number) {
    this.#half = Math.max(1, Math.floor(capacity / 2));
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  get(token: string): T | undefined {
    const tail = token.slice(-TAIL);
    const young = this.#young.get(tail);
    if (young !== undefined) return young.token === token ? young : undefined;
    const old = this.#old.get(tail);
    if (old?.token !== token) return undefined;
    this.#old.delete(tail);
    this.#put(tail, old);
    return old;
  }

  add(entry: T): void {
    const tail = entry.token.slice(-TAIL);
    this.#old.delete(tail);
    this.#put(tail, entry);
  }

  delete(token: string): void {
    const tail = token.slice(-TAIL);
    if (this.#young.get(tail)?.token === token) this.#young.delete(tail);
    else if (this.#old.get(tail)?.token === token) this.#old.delete(tail);
  }

  #put(tail: string, entry: T): void {
    if (this.#young.size >= this.#half) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(tail, entry);
  }
}
