/** A ceiling is raised by so much at a time: a write to the control database for each gigabyte of the feed. */
const STEP = 2 ** 30;

/**
 * Gives out the labels by which readings of the source are ordered (see `applyChanges`): a base and a place in the feed. A
 * ceiling above all labels is durable before any of them is given out, so that a feed with another count of its places can
 * begin above it.
 */
export class Labels {
  #base: number;
  #ceiling: number;
  readonly #raise: (ceiling: number) => Promise<void>;

  /** `raise` makes a ceiling durable. */
  constructor(base: number, ceiling: number, raise: (ceiling: number) => Promise<void>) {
    this.#base = base;
    this.#ceiling = ceiling;
    this.#raise = raise;
  }

  get ceiling(): number {
    return this.#ceiling;
  }

  get base(): number {
    return this.#base;
  }

  /** For a feed whose places have nothing to do with those of before: all its labels are above all that were given out. To be made durable. */
  rebase(at: number): void {
    this.#base = this.#ceiling + 1;
    this.#ceiling = this.#base + at + STEP;
  }

  async of(at: number): Promise<number> {
    const label = this.#base + at;
    if (label > this.#ceiling) {
      await this.#raise(label + STEP);
      this.#ceiling = label + STEP;
    }
    return label;
  }
}
