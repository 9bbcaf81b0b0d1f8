import { systemClock, type Clock } from '@wherry/core';

/** The machine's clock, whose monotonic time can leap ahead: what a process sees that was stopped for a while. */
export class ShiftedClock implements Clock {
  #ahead = 0;

  now(): number {
    return systemClock.now();
  }

  monotonic(): number {
    return systemClock.monotonic() + this.#ahead;
  }

  leap(ms: number): void {
    this.#ahead += ms;
  }
}
