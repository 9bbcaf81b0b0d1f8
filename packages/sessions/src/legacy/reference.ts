/**
 * Stands where a decoded value occurs a second time. Who follows a path goes on at its target; who walks through a whole
 * session sees nothing in it, so that a value which holds itself, or doubles at every level, costs no more than its text.
 */
export class Reference {
  readonly #holder: { readonly value: unknown };

  /** `holder.value` may still be in the making, and is never another reference. */
  constructor(holder: { readonly value: unknown }) {
    this.#holder = holder;
  }

  /** The value itself. */
  get target(): unknown {
    return this.#holder.value;
  }
}
