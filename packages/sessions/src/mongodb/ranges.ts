/** A part of the ids: those at or after `from` and before `to`; undefined: no bound. */
export interface IdRange {
  readonly id: string;
  readonly from: string;
  readonly to: string | undefined;
}

/** Characters at which the parts begin, in the order of their bytes: ids of express-session are base64url of random bytes. */
const BOUNDS = ['', '5', 'D', 'L', 'T', 'a', 'i', 'r'] as const;

/**
 * The parts of all ids that start with `prefix`. They follow from nothing but the prefix, so any worker at any time
 * means the same by them; ids of another alphabet are spread less evenly, and none is left out.
 */
export function idRanges(prefix: string): readonly IdRange[] {
  return BOUNDS.map((bound, i) => {
    const next = BOUNDS[i + 1];
    return { id: String(i), from: prefix + bound, to: next === undefined ? afterAll(prefix) : prefix + next };
  });
}

/** The least text after all that start with `prefix`, in the order of UTF-8 bytes, which is that of code points; undefined: there is none. */
export function afterAll(prefix: string): string | undefined {
  const points = Array.from(prefix, (character) => character.codePointAt(0) ?? 0);
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    // Between them lie the surrogates, which are no characters by themselves.
    if (last < 0x10_ffff) return String.fromCodePoint(...points, last === 0xd7ff ? 0xe000 : last + 1);
  }
  return undefined;
}
