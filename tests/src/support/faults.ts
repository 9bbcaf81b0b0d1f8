/** A call that can be made to fail: a method of the source, or the name of a shard's statement. */
export type FaultPoint =
  | 'source.get'
  | 'source.save'
  | 'source.put'
  | 'source.touch'
  | 'source.end'
  | 'session-put'
  | 'session-save'
  | 'session-touch'
  | 'session-end';

/** `before`: the call never arrives. `after`: it is done, and the caller does not hear so. */
export interface Fault {
  readonly point: FaultPoint;
  readonly when: 'before' | 'after';
}

/** Faults that wait for their call; each strikes once. */
export class Faults {
  readonly #waiting: Fault[];

  constructor(faults: readonly Fault[] = []) {
    this.#waiting = [...faults];
  }

  add(fault: Fault): void {
    this.#waiting.push(fault);
  }

  /** Those that have not struck never will. */
  clear(): void {
    this.#waiting.length = 0;
  }

  /** Makes the call, unless a fault of `point` waits: then the error instead of, or after, the call. */
  async strike<T>(point: string, call: () => Promise<T>, error: () => Error): Promise<T> {
    const at = this.#waiting.findIndex((fault) => fault.point === point);
    if (at < 0) return call();
    const [fault] = this.#waiting.splice(at, 1);
    if (fault?.when === 'after') await call();
    throw error();
  }
}
