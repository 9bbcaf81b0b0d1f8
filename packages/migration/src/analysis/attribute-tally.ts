import { DistinctCounter, type DistinctCount } from './distinct-counter.ts';
import { valueKind, type ValueKind } from './value-kind.ts';

/** Sizes of texts in characters, of arrays in items. */
export interface SizeRange {
  readonly min: number;
  readonly max: number;
  readonly mean: number;
}

/** Powers of ten between which all numbers lie: the numbers themselves are data. */
export interface Magnitude {
  /** True where some are below zero. */
  readonly negative: boolean;
  /** All are below ten to this power, sign left aside. */
  readonly digits: number;
}

/** What was seen at one place of a session. Keeps no value. */
export class AttributeTally {
  readonly kinds: Partial<Record<ValueKind, number>> = {};
  readonly #distinct: DistinctCounter;
  #sessions = 0;
  #lastSession = -1;
  #sized = 0;
  #sum = 0;
  #min = Infinity;
  #max = 0;
  #bytes = 0;
  #negative = false;
  #digits: number | undefined;

  constructor(salt: string) {
    this.#distinct = new DistinctCounter(salt);
  }

  /** Counts one value of the session with this number. */
  add(value: unknown, session: number): void {
    this.seen(session);
    const kind = valueKind(value);
    this.kinds[kind] = (this.kinds[kind] ?? 0) + 1;
    if (typeof value === 'string' || Array.isArray(value)) this.#measure(value.length);
    if (typeof value === 'string') {
      this.#bytes = Math.max(this.#bytes, Buffer.byteLength(value));
      this.#distinct.add(value);
    } else if (typeof value === 'number') {
      this.#negative ||= value < 0;
      this.#digits = Math.max(this.#digits ?? 0, Math.floor(Math.log10(Math.max(1, Math.abs(value)))) + 1);
      this.#distinct.add(`number ${value}`);
    } else if (typeof value === 'boolean') {
      this.#distinct.add(`boolean ${value}`);
    }
  }

  /** Counts the session alone. */
  seen(session: number): void {
    if (session === this.#lastSession) return;
    this.#lastSession = session;
    this.#sessions++;
  }

  /** In how many sessions it occurs. */
  get sessions(): number {
    return this.#sessions;
  }

  get lastSession(): number {
    return this.#lastSession;
  }

  /** null where it was neither text nor array. */
  get size(): SizeRange | null {
    return this.#sized === 0 ? null : { min: this.#min, max: this.#max, mean: this.#sum / this.#sized };
  }

  /** Bytes of its longest text. */
  get bytes(): number {
    return this.#bytes;
  }

  /** null where it was no number. */
  get magnitude(): Magnitude | null {
    return this.#digits === undefined ? null : { negative: this.#negative, digits: this.#digits };
  }

  get distinct(): DistinctCount {
    return this.#distinct.count;
  }

  #measure(size: number): void {
    this.#sized++;
    this.#sum += size;
    this.#min = Math.min(this.#min, size);
    this.#max = Math.max(this.#max, size);
  }
}
