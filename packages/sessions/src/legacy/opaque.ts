/** A value of a session that is neither text nor number nor a collection, and that no path leads into: bytes, or a type that speaks a form of its own. */
export class Opaque {
  readonly #kind: string;

  constructor(kind: string) {
    this.#kind = kind;
  }

  /** What it is, for people; never what it holds. */
  get kind(): string {
    return this.#kind;
  }
}
