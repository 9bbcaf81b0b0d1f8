import type { CarriedRead } from '@wherry/sessions';
import { Lives } from './lives.ts';

/** Legacy stores count in seconds, and readers reckon the target's clock for themselves. */
const EXPIRY_TOLERANCE_MS = 1000;

/** The time by the servers' clock, epoch ms. */
export interface LedgerClock {
  now(): number;
  /** How far anybody who writes or reads may have been wrong about it lately, ms. */
  doubtMs(): number;
}

/** A moment: its place in the order of all that this process saw, and its time by the servers' clock, epoch ms. */
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
export interface Extension extends Call {
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
  readonly #clock: LedgerClock;
  #order = 0;

  constructor(clock: LedgerClock) {
    this.#clock = clock;
  }

  get ids(): readonly string[] {
    return [...this.#histories.keys()];
  }

  now(): Moment {
    return { order: ++this.#order, ms: this.#clock.now() };
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
    return (
      new Set(
        this.#lives(id)
          .lasting(now, now)
          .map(({ ttlMs }) => ttlMs),
      ).size <= 1
    );
  }

  /** True when it is certain that the session lives now, as far as its time goes, or that its time is over. */
  timeIsCertain(id: string): boolean {
    const now = this.now();
    return this.#lives(id).surely(now, now) || this.#lives(id).isOver(now, now);
  }

  /** True when the session's time may have been over before `done`: then nobody can be blamed for its absence. */
  mayHaveRunOut(id: string, done: Moment): boolean {
    return this.#lives(id).mayHaveRunOut(done);
  }

  /** True when the session's time was over for certain before `moment`. */
  isOver(id: string, moment: Moment): boolean {
    return this.#lives(id).isOver(moment, moment);
  }

  /** The longest life that was asked for, ms; 0: none. */
  longestLife(id: string): number {
    return Math.max(0, ...this.#of(id).extensions.map(({ ttlMs }) => ttlMs));
  }

  /** When every life of at most `ttlMs` that was given is certain to be over, servers' clock, epoch ms. */
  overAt(ttlMs: number): number {
    const ends = [...this.#histories.values()].flatMap(({ extensions }) =>
      extensions.filter((call) => call.ttlMs <= ttlMs).map((call) => (call.done ?? call.started).ms + call.ttlMs),
    );
    return Math.max(0, ...ends) + this.#clock.doubtMs();
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
        // What ran out at the source a moment earlier than at the target is ended there for good.
        return this.endAskedBefore(id, done) || this.mayHaveRunOut(id, done) ? undefined : 'it ended, and nobody had asked for it';
      case 'absent':
        return this.endAskedBefore(id, done) || !this.existsBefore(id, started) || this.mayHaveRunOut(id, done)
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
    if (this.#lives(id).isOver(started, done)) return 'I3: it is live, and its time is over';
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
    if (started.ms > expireTime + this.#tolerance()) return 'I3: it is live after its expiry';
    if (!settled) return undefined;
    const windows = this.#windows(id, started, done);
    if (windows.some(({ from, to }) => expireTime >= from && expireTime <= to)) return undefined;
    const earliest = Math.min(...windows.map(({ from }) => from));
    const off = windows.map(({ from, to }) => `${Math.round(expireTime - from)}…${Math.round(expireTime - to)}`).join(' or ');
    return `${expireTime < earliest ? 'I1: an acknowledged touch is lost' : 'I3: it lives too long'}: it expires ${off} ms off`;
  }

  #windows(id: string, started: Moment, done: Moment): { readonly from: number; readonly to: number }[] {
    return this.#lives(id)
      .lasting(started, done)
      .map((call) => ({
        from: call.started.ms + call.ttlMs - this.#tolerance(),
        to: (call.done?.ms ?? done.ms) + call.ttlMs + this.#tolerance(),
      }));
  }

  #tolerance(): number {
    return EXPIRY_TOLERANCE_MS + this.#clock.doubtMs();
  }

  #lives(id: string): Lives {
    return new Lives(this.#of(id).extensions, this.#clock.doubtMs());
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
