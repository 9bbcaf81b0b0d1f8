import { randomInt } from 'node:crypto';
import { placeOf, type KeyWords } from './key-words.ts';

/** First word, second word, value. */
const STRIDE = 3;
const SEGMENT_BITS = 8;
const SEGMENTS = 1 << SEGMENT_BITS;
const LEAST_CAPACITY = 8;
/** A segment doubles when it is fuller than this. */
const FULL = 0.7;

/** One part of the table; it grows by itself, so that no insert ever moves more than a few thousand entries. */
interface Segment {
  /** Empty where the value is 0. */
  cells: Uint32Array;
  count: number;
}

/**
 * Texts to numbers from 1 to 2^32 - 1, in 17 to 35 bytes an entry outside of the heap: open addressing with linear
 * probing over typed arrays. A Map of texts takes several times as much, and every collection walks through it.
 */
export class PackedTable {
  readonly #words: KeyWords;
  readonly #segments: readonly Segment[];
  readonly #key = new Uint32Array(2);
  readonly #seed: number = randomInt(0x1_0000_0000);
  #size = 0;

  constructor(words: KeyWords) {
    this.#words = words;
    this.#segments = Array.from({ length: SEGMENTS }, () => ({ cells: new Uint32Array(LEAST_CAPACITY * STRIDE), count: 0 }));
  }

  /** How many entries there are. */
  get size(): number {
    return this.#size;
  }

  /** Bytes of all segments. */
  get bytes(): number {
    return this.#segments.reduce((sum, { cells }) => sum + cells.byteLength, 0);
  }

  /** How many segments there are for {@link prune}. */
  get segments(): number {
    return SEGMENTS;
  }

  /** The value of a text; 0: there is none. */
  get(text: string): number {
    if (this.#size === 0 || !this.#words(text, this.#key)) return 0;
    const first = this.#key[0] ?? 0;
    const second = this.#key[1] ?? 0;
    const place = placeOf(first, second, this.#seed);
    const { cells } = this.#segmentOf(place);
    return cells[cellOf(cells, first, second, place) + 2] ?? 0;
  }

  /** Sets the value of a text. False: the text can have none, and nothing was done. */
  set(text: string, value: number): boolean {
    if (!this.#words(text, this.#key)) return false;
    const first = this.#key[0] ?? 0;
    const second = this.#key[1] ?? 0;
    const place = placeOf(first, second, this.#seed);
    const segment = this.#segmentOf(place);
    const { cells } = segment;
    const at = cellOf(cells, first, second, place);
    const fresh = cells[at + 2] === 0;
    cells[at] = first;
    cells[at + 1] = second;
    cells[at + 2] = value;
    if (!fresh) return true;
    this.#size++;
    segment.count++;
    if (segment.count > (cells.length / STRIDE) * FULL) this.#rebuild(segment, () => true);
    return true;
  }

  /** Forgets the entries of one segment whose value is not to be kept; gives the room back. */
  prune(segment: number, keep: (value: number) => boolean): void {
    const found = this.#segments[segment % SEGMENTS];
    if (found !== undefined && found.count > 0) this.#rebuild(found, keep);
  }

  #segmentOf(place: number): Segment {
    const segment = this.#segments[place >>> (32 - SEGMENT_BITS)];
    if (segment === undefined) throw new Error('a place has 8 upper bits');
    return segment;
  }

  #rebuild(segment: Segment, keep: (value: number) => boolean): void {
    const { cells: old } = segment;
    let kept = 0;
    for (let at = 0; at < old.length; at += STRIDE) {
      const value = old[at + 2] ?? 0;
      if (value !== 0 && keep(value)) kept++;
    }
    let capacity = LEAST_CAPACITY;
    while (kept > capacity * FULL) capacity *= 2;
    if (kept === segment.count && capacity * STRIDE === old.length) return;
    const cells = new Uint32Array(capacity * STRIDE);
    for (let from = 0; from < old.length; from += STRIDE) {
      const value = old[from + 2] ?? 0;
      if (value === 0 || !keep(value)) continue;
      const first = old[from] ?? 0;
      const second = old[from + 1] ?? 0;
      const at = cellOf(cells, first, second, placeOf(first, second, this.#seed));
      cells[at] = first;
      cells[at + 1] = second;
      cells[at + 2] = value;
    }
    this.#size -= segment.count - kept;
    segment.count = kept;
    segment.cells = cells;
  }
}

/** There is always an empty cell to end at. */
function cellOf(cells: Uint32Array, first: number, second: number, place: number): number {
  const { length } = cells;
  const mask = length / STRIDE - 1;
  let at = (place & mask) * STRIDE;
  while (cells[at + 2] !== 0 && (cells[at] !== first || cells[at + 1] !== second)) {
    at += STRIDE;
    if (at === length) at = 0;
  }
  return at;
}
