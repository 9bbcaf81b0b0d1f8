import type { CarriedRead } from '@wherry/sessions';

/**
 * Touches have no order but their time: each process reckons the source's clock for itself and writes some of them behind.
 * What is this close together may count in either order, which with one and the same life would be no difference at all.
 */
const SAME_MOMENT_MS = 60;
const EXPIRY_TOLERANCE_MS = 1000;

/** A moment: its place in the order of all that this process saw, and its wall time. */
export interface Moment {
  readonly order: number;
  readonly ms: number;
}

/** One call on a session. `done` is undefined while it runs and for ever when its outcome is not known. */
export interface Call {
  readonly started: Moment;
  done: Moment | undefined;
  /** True when the call said that it had no effect. */
  void: boolean;
}

/** A save (with its value) or a touch, and the life that it gave. */
interface Extension extends Call {
  readonly value: number | undefined;
  readonly ttlMs: number;
}

/** Whose session it is: it must never change. */
export interface Identity {
  readonly userId: string;
  readonly username: string;
  readonly authorities: readonly string[];
}

interface History {
  readonly identity: Identity;
  readonly extensions: Extension[];
  readonly ends: Call[];
}

/** What was asked of every session and what was acknowledged: it judges any answer without knowing how the engine works. */
export class Ledger {
  readonly #histories = new Map<string, History>();
  #order = 0;

  get ids(): readonly string[] {
    return [...this.#histories.keys()];
  }

  now(): Moment {
    return { order: ++this.#order, ms: Date.now() };
  }

  add(id: string, identity: Identity): void {
    this.#histories.set(id, { identity, extensions: [], ends: [] });
  }

  identity(id: string): Identity {
    return this.#of(id).identity;
  }

  save(id: string, value: number, ttlMs: number): Call {
    return this.#extend(id, value, ttlMs);
  }

  touch(id: string, ttlMs: number): Call {
    return this.#extend(id, undefined, ttlMs);
  }

  end(id: string): Call {
    const call = { started: this.now(), done: undefined, void: false };
    this.#of(id).ends.push(call);
    return call;
  }

  /** True when the session's end was asked for before `moment`. */
  endAskedBefore(id: string, moment: Moment): boolean {
    return this.#of(id).ends.some(({ started }) => started.order < moment.order);
  }

  /** True when the session's end was acknowledged before `moment`. */
  endedBefore(id: string, moment: Moment): boolean {
    return this.#of(id).ends.some(({ done }) => done !== undefined && done.order < moment.order);
  }

  /** True when somebody had been told before `moment` that the session was saved. */
  existsBefore(id: string, moment: Moment): boolean {
    return this.#of(id).extensions.some(({ value, done }) => value !== undefined && done !== undefined && done.order < moment.order);
  }

  /** True when it is known which save or touch gave the session its life. */
  lifeIsCertain(id: string): boolean {
    const now = this.now();
    return new Set(this.#lasting(id, now, now).map(({ ttlMs }) => ttlMs)).size <= 1;
  }

  /**
   * What is wrong with a read that ran from `started` to `done`; undefined: nothing. `settled`: all that was put off has
   * been written, so the expiry must be that of the last touch.
   */
  faultOf(id: string, read: CarriedRead, started: Moment, done: Moment, settled: boolean): string | undefined {
    switch (read.state) {
      case 'live':
        return this.#faultOfLive(id, read, started, done, settled);
      case 'undecodable':
        return 'it cannot be decoded';
      case 'ended':
        return this.endAskedBefore(id, done) ? undefined : 'it ended, and nobody had asked for it';
      case 'absent':
        return this.endAskedBefore(id, done) || !this.existsBefore(id, started) || this.#mayHaveExpired(id, started, done)
          ? undefined
          : 'I1: a live session is lost';
    }
  }

  #faultOfLive(
    id: string,
    read: Extract<CarriedRead, { state: 'live' }>,
    started: Moment,
    done: Moment,
    settled: boolean,
  ): string | undefined {
    if (this.endedBefore(id, started)) return 'I2: an ended session is live';
    const { identity } = this.#of(id);
    if (read.userId !== identity.userId || read.username !== identity.username) return 'it is somebody else';
    if (read.authorities.join() !== identity.authorities.join()) return 'I4: the authorities changed';
    const { value } = JSON.parse(read.attributes) as { value: number };
    const values = this.#standing(id, started, done).map((save) => save.value);
    if (!values.includes(value)) return `I1: an acknowledged save is lost: ${value} was read, and ${values.join(' or ')} must be there`;
    return this.#faultOfExpiry(id, read.expireTime, started, done, settled);
  }

  #faultOfExpiry(id: string, expireTime: number | null, started: Moment, done: Moment, settled: boolean): string | undefined {
    if (expireTime === null) return 'I3: it never expires';
    if (started.ms > expireTime + EXPIRY_TOLERANCE_MS) return 'I3: it is live after its expiry';
    if (!settled) return undefined;
    const windows = this.#lives(id, started, done);
    if (windows.some(({ from, to }) => expireTime >= from && expireTime <= to)) return undefined;
    const earliest = Math.min(...windows.map(({ from }) => from));
    const off = windows.map(({ from, to }) => `${Math.round(expireTime - from)}…${Math.round(expireTime - to)}`).join(' or ');
    return `${expireTime < earliest ? 'I1: an acknowledged touch is lost' : 'I3: it lives too long'}: it expires ${off} ms off`;
  }

  #mayHaveExpired(id: string, started: Moment, done: Moment): boolean {
    return this.#lives(id, started, done).some(({ from }) => from <= done.ms);
  }

  #lives(id: string, started: Moment, done: Moment): { readonly from: number; readonly to: number }[] {
    return this.#lasting(id, started, done).map((call) => ({
      from: call.started.ms + call.ttlMs - EXPIRY_TOLERANCE_MS,
      to: (call.done?.ms ?? done.ms) + call.ttlMs + EXPIRY_TOLERANCE_MS,
    }));
  }

  #lasting(id: string, started: Moment, done: Moment): Extension[] {
    return undominated(
      this.#of(id).extensions.filter((call) => call.started.order < done.order && !call.void),
      started,
    );
  }

  /** Saves whose value a read may answer: begun before its end, and not followed by another that was acknowledged before its start. */
  #standing(id: string, started: Moment, done: Moment): Extension[] {
    const saves = this.#of(id).extensions.filter((call) => call.value !== undefined && call.started.order < done.order && !call.void);
    return saves.filter(
      (save) => !saves.some((later) => later.done !== undefined && later.done.order < started.order && follows(later, save)),
    );
  }

  #extend(id: string, value: number | undefined, ttlMs: number): Call {
    const call: Extension = { started: this.now(), done: undefined, void: false, value, ttlMs };
    this.#of(id).extensions.push(call);
    return call;
  }

  #of(id: string): History {
    const history = this.#histories.get(id);
    if (history === undefined) throw new Error('the ledger does not know the session');
    return history;
  }
}

/** True when `later` began after `earlier` had been answered. A call whose outcome is not known may take effect at any time. */
function follows(later: Call, earlier: Call): boolean {
  return earlier.done !== undefined && earlier.done.order < later.started.order;
}

/** Extensions that no other one, acknowledged before `moment`, has followed by a measurable time. */
function undominated(extensions: readonly Extension[], moment: Moment): Extension[] {
  return extensions.filter(
    (one) =>
      !extensions.some(
        (later) =>
          later.done !== undefined &&
          later.done.order < moment.order &&
          follows(later, one) &&
          later.started.ms - (one.done?.ms ?? 0) > SAME_MOMENT_MS,
      ),
  );
}
