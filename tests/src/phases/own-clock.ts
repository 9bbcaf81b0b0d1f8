import { systemClock, type Clock } from '@wherry/core';

/** A clock of one process, which can be wrong in ways that the others' are not. */
export class OwnClock implements Clock {
  #off = 0;
  #ahead = 0;

  now(): number {
    return systemClock.now() + this.#off;
  }

  monotonic(): number {
    return systemClock.monotonic() + this.#ahead;
  }

  /** Somebody sets the wall clock, to `ms` from the right time. */
  set(ms: number): void {
    this.#off = ms;
  }

  /** The process stood still for so long. */
  leap(ms: number): void {
    this.#ahead += ms;
  }
}
