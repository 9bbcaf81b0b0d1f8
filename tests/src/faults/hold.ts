import type { CarriedStep } from '@wherry/sessions';

/** Holds the first call that comes to a step, between two of its statements, until it is let go. */
export class Hold {
  readonly #step: CarriedStep;
  readonly #reached = Promise.withResolvers<void>();
  readonly #released = Promise.withResolvers<void>();
  #used = false;

  constructor(step: CarriedStep) {
    this.#step = step;
  }

  /** Resolves when a call has come to the step. */
  get reached(): Promise<void> {
    return this.#reached.promise;
  }

  /** For `carried` of a process. */
  readonly at = async (step: CarriedStep): Promise<void> => {
    if (step !== this.#step || this.#used) return;
    this.#used = true;
    this.#reached.resolve();
    await this.#released.promise;
  };

  release(): void {
    this.#released.resolve();
  }
}
