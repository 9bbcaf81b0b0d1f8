import { randomBytes } from 'node:crypto';

interface Family {
  readonly cookie: string;
  /** All that were given out, the newest last. */
  readonly chain: string[];
  ended: boolean;
}

/** Renewal credentials as an honest server keeps them, in a map. */
export class StandInRenewals {
  readonly #families = new Map<string, Family>();
  /** True: every credential that was ever given out is taken, however old. */
  careless = false;

  /** A new family for the session of a cookie; answers its first credential. */
  begin(cookie: string): string {
    const family = { cookie, chain: [], ended: false };
    return this.#next(family);
  }

  /**
   * The cookie of the session and the next credential; the same one again while it has not been presented. undefined: refused,
   * and where it was one whose successor is in use, the whole family with it.
   */
  renew(credential: string): { readonly cookie: string; readonly successor: string } | undefined {
    const family = this.#families.get(credential);
    if (family === undefined || family.ended) return undefined;
    const { cookie, chain } = family;
    const age = chain.length - 1 - chain.indexOf(credential);
    const newest = chain.at(-1) ?? credential;
    if (age === 0) return { cookie, successor: this.#next(family) };
    if (age === 1 || this.careless) return { cookie, successor: newest };
    family.ended = true;
    return undefined;
  }

  /** Ends what was begun for a cookie. */
  end(cookie: string): void {
    for (const family of this.#families.values()) if (family.cookie === cookie) family.ended = true;
  }

  #next(family: Family): string {
    const credential = `rt_${randomBytes(16).toString('hex')}`;
    family.chain.push(credential);
    this.#families.set(credential, family);
    return credential;
  }
}
