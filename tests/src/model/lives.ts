import type { Extension, Moment } from './ledger.ts';

/**
 * Touches have no order but their time: each process reckons the source's clock for itself and writes some of them behind.
 * What is this close together may count in either order, which with one and the same life would be no difference at all.
 */
const SAME_MOMENT_MS = 60;

/**
 * What can be said of a session's life from the saves and touches that were asked for. A save gives life to whatever was
 * before; a touch only to what is alive. `doubtMs` is how far anybody may be wrong about the time: closer than that to
 * an expiry nothing is certain.
 */
export class Lives {
  readonly #extensions: readonly Extension[];
  readonly #doubtMs: number;
  readonly #sure = new Map<Extension, boolean>();

  constructor(extensions: readonly Extension[], doubtMs: number) {
    this.#extensions = extensions.filter((call) => !call.void);
    this.#doubtMs = doubtMs;
  }

  /** Those that may have given the session the life that a read from `started` to `done` finds. */
  lasting(started: Moment, done: Moment): Extension[] {
    const begun = this.#extensions.filter((call) => call.started.order < done.order);
    return begun.filter((one) => !begun.some((later) => this.#dominates(later, one, started)));
  }

  /** True when the session is certain to live all the time from `started` to `done`. */
  surely(started: Moment, done: Moment, without?: Extension): boolean {
    const lasting = this.lasting(started, done).filter((call) => call !== without);
    return lasting.length > 0 && lasting.every((call) => call.started.ms + call.ttlMs - this.#doubtMs > done.ms);
  }

  /** True when it may have run out at some time before `done`, even if it has been saved again since. */
  mayHaveRunOut(done: Moment): boolean {
    const begun = this.#extensions.filter((call) => call.started.order < done.order);
    const gaps = begun.slice(1).some((call) => !this.surely(call.started, before(call.done, done), call));
    return gaps || !this.surely(done, done);
  }

  /** True when it is certain that it had run out before `started`, whatever was under way until `done`. */
  isOver(started: Moment, done: Moment): boolean {
    const begun = this.#extensions.filter((call) => call.started.order < done.order);
    return begun.length > 0 && begun.every((call) => call.done !== undefined && call.done.ms + call.ttlMs + this.#doubtMs < started.ms);
  }

  /** True when `later` was answered before `moment` and is certain to have replaced the life that `earlier` gave. */
  #dominates(later: Extension, earlier: Extension, moment: Moment): boolean {
    if (later.done === undefined || later.done.order >= moment.order || earlier.done === undefined) return false;
    return later.started.ms - earlier.done.ms > SAME_MOMENT_MS && earlier.done.order < later.started.order && this.#isSure(later);
  }

  /** A touch has an effect on a live session only. What decides ended before it began, so this comes to an end. */
  #isSure(call: Extension): boolean {
    if (call.value !== undefined) return true;
    const known = this.#sure.get(call);
    if (known !== undefined) return known;
    const sure = call.done !== undefined && this.surely(call.started, call.done, call);
    this.#sure.set(call, sure);
    return sure;
  }
}

function before(moment: Moment | undefined, other: Moment): Moment {
  return moment === undefined || other.order < moment.order ? other : moment;
}
