/** The JSON types, as a path of the session showed them. */
type AttributeType = 'text' | 'number' | 'boolean' | 'null' | 'object' | 'array';

/** What a sample tells of one attribute. Never holds a value. */
export interface AttributeStatistic {
  /** Member names joined by dots; `[]` for the items of an array, `*` for a name that looks like data. */
  readonly path: string;
  /** In how many of the sampled sessions it occurs. */
  readonly sessions: number;
  /** How many values of each type were seen. */
  readonly types: Readonly<Partial<Record<AttributeType, number>>>;
  /** Sizes of its texts in characters and of its arrays in items; null where it was neither. */
  readonly size: { readonly min: number; readonly max: number; readonly mean: number } | null;
}

interface Tally {
  sessions: number;
  lastSession: number;
  readonly types: Partial<Record<AttributeType, number>>;
  sized: number;
  sum: number;
  min: number;
  max: number;
}

const MAX_DEPTH = 8;
const MAX_PATHS = 500;
/** A name in code, not a key made of data: letters, short, at most two digits. Numbers, e-mail addresses and tokens are data. */
const NAME = /^(?!(?:.*\d){3})[A-Za-z_$][\w$-]{0,39}$/;

/** Which attributes sampled sessions have: paths, types and sizes, for the proposal of a schema and a mapping. */
export class AttributeHistogram {
  readonly #tallies = new Map<string, Tally>();
  #sessions = 0;

  /** Counts one decoded session. */
  add(session: object): void {
    this.#sessions++;
    this.#members(session, '', 0);
  }

  /** Most frequent first, then by path. */
  report(): readonly AttributeStatistic[] {
    return [...this.#tallies]
      .map(([path, { sessions, types, sized, sum, min, max }]) => ({
        path,
        sessions,
        types,
        size: sized === 0 ? null : { min, max, mean: sum / sized },
      }))
      .toSorted((a, b) => b.sessions - a.sessions || (a.path < b.path ? -1 : 1));
  }

  #members(object: object, prefix: string, depth: number): void {
    if (depth >= MAX_DEPTH) return;
    if (Array.isArray(object)) {
      for (const item of object) this.#visit(item, `${prefix}[]`, depth);
      return;
    }
    for (const [name, value] of Object.entries(object)) {
      const step = NAME.test(name) ? name : '*';
      this.#visit(value, prefix === '' ? step : `${prefix}.${step}`, depth);
    }
  }

  #visit(value: unknown, path: string, depth: number): void {
    const type = typeOf(value);
    const tally = this.#tally(path);
    if (tally !== undefined) {
      if (tally.lastSession !== this.#sessions) tally.sessions++;
      tally.lastSession = this.#sessions;
      tally.types[type] = (tally.types[type] ?? 0) + 1;
      if (typeof value === 'string' || Array.isArray(value)) measure(tally, value.length);
    }
    if (typeof value === 'object' && value !== null) this.#members(value, path, depth + 1);
  }

  /** undefined once there are too many paths: a sample that keys objects by data must not fill the memory. */
  #tally(path: string): Tally | undefined {
    const known = this.#tallies.get(path);
    if (known !== undefined || this.#tallies.size >= MAX_PATHS) return known;
    const tally: Tally = { sessions: 0, lastSession: 0, types: {}, sized: 0, sum: 0, min: Infinity, max: 0 };
    this.#tallies.set(path, tally);
    return tally;
  }
}

function measure(tally: Tally, size: number): void {
  tally.sized++;
  tally.sum += size;
  tally.min = Math.min(tally.min, size);
  tally.max = Math.max(tally.max, size);
}

function typeOf(value: unknown): AttributeType {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'string') return 'text';
  if (typeof value === 'number' || typeof value === 'bigint') return 'number';
  return typeof value === 'boolean' ? 'boolean' : 'object';
}
