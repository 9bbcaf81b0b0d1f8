/**
 * Stands where a decoded value occurs a second time. Who follows a path goes on at its target; who walks through a whole
 * session sees nothing in it, so that a value which holds itself, or doubles at every level, costs no more than its text.
 */
export class Reference {
  readonly #target: unknown;

  constructor(target: unknown) {
    this.#target = target;
  }

  /** The value itself, never another reference. */
  get target(): unknown {
    return this.#target instanceof Reference ? this.#target.target : this.#target;
  }
}
