import { mustMask } from './attribute-name.ts';
import { AttributeTally, type Magnitude, type SizeRange } from './attribute-tally.ts';
import type { DistinctCount } from './distinct-counter.ts';
import { pathText } from './path-text.ts';
import type { ValueKind } from './value-kind.ts';

/** A step from an object to a member of this name, from an array to its items, or to members whose names are not told. */
export type PathStep = { readonly to: 'member'; readonly name: string } | { readonly to: 'items' } | { readonly to: 'masked' };

/** What a sample tells of one attribute. Holds no value, and no name that looks like data. */
export interface AttributeProfile {
  readonly path: readonly PathStep[];
  /** In how many of the sampled sessions it occurs; for masked names at most. */
  readonly sessions: number;
  /** How many values of each kind were seen. */
  readonly kinds: Readonly<Partial<Record<ValueKind, number>>>;
  readonly size: SizeRange | null;
  /** Bytes of its longest text in UTF-8. */
  readonly bytes: number;
  readonly magnitude: Magnitude | null;
  /** null for masked names. */
  readonly distinct: DistinctCount | null;
}

interface Place {
  readonly tally: AttributeTally;
  readonly members: Map<string, Place>;
  items: Place | undefined;
  /** Members that found no place of their own. */
  others: AttributeTally | undefined;
  sweptAt: number;
}

const MAX_DEPTH = 8;
/** Members of one object that are told apart. */
const MAX_MEMBERS = 256;
const MAX_PLACES = 2000;
/** Items of one array that are looked at. */
const MAX_ITEMS = 64;
/** An object with more member names than this, all of them rare, is a map keyed by data. */
const MAP_MEMBERS = 32;
const MAP_SHARE = 0.1;
/** In a smaller sample no name counts as frequent. */
const MIN_SESSIONS = 20;

/**
 * Collects which attributes sampled sessions have. Memory is bounded whatever they hold: 2000 places of about 16 KiB at most;
 * where an object shows ever new names, those that only one session had make room.
 */
export class AttributeProfiles {
  readonly #root: Place;
  readonly #salt: string;
  #places = 0;
  #sessions = 0;

  /** `salt` is random: what is counted by hash cannot be looked up afterwards. */
  constructor(salt: string) {
    this.#salt = salt;
    this.#root = this.#place();
  }

  /** Counts one decoded session. */
  add(session: object): void {
    this.#sessions++;
    this.#visit(this.#root, session, 0);
  }

  get sessions(): number {
    return this.#sessions;
  }

  /** Most frequent first, then by path. */
  report(): readonly AttributeProfile[] {
    const found: AttributeProfile[] = [];
    this.#collect(this.#root, [], found);
    const texts = new Map(found.map((profile) => [profile, pathText(profile.path)]));
    return found.toSorted((a, b) => b.sessions - a.sessions || ((texts.get(a) ?? '') < (texts.get(b) ?? '') ? -1 : 1));
  }

  #place(): Place {
    this.#places++;
    return { tally: new AttributeTally(this.#salt), members: new Map(), items: undefined, others: undefined, sweptAt: -1 };
  }

  #visit(place: Place, value: unknown, depth: number): void {
    place.tally.add(value, this.#sessions);
    if (typeof value !== 'object' || value === null || depth >= MAX_DEPTH) return;
    if (Array.isArray(value)) {
      if (place.items === undefined && this.#places >= MAX_PLACES) return;
      place.items ??= value.length === 0 ? undefined : this.#place();
      if (place.items !== undefined) for (const item of value.slice(0, MAX_ITEMS)) this.#visit(place.items, item, depth + 1);
      return;
    }
    for (const [name, member] of Object.entries(value)) this.#member(place, name, member, depth);
  }

  #member(place: Place, name: string, member: unknown, depth: number): void {
    let known = place.members.get(name);
    if (known === undefined) {
      if (place.members.size >= MAX_MEMBERS || this.#places >= MAX_PLACES) this.#sweep(place);
      if (place.members.size >= MAX_MEMBERS || this.#places >= MAX_PLACES) {
        place.others ??= new AttributeTally(this.#salt);
        place.others.add(member, this.#sessions);
        return;
      }
      known = this.#place();
      place.members.set(name, known);
    }
    this.#visit(known, member, depth + 1);
  }

  /** Makes room once a session: names of one earlier session alone are given up. */
  #sweep(place: Place): void {
    if (place.sweptAt === this.#sessions) return;
    place.sweptAt = this.#sessions;
    for (const [name, { tally, members, items }] of place.members) {
      if (tally.sessions > 1 || tally.lastSession === this.#sessions) continue;
      place.members.delete(name);
      this.#places -= 1 + (members.size === 0 && items === undefined ? 0 : countBelow({ members, items }));
      place.others ??= new AttributeTally(this.#salt);
      place.others.seen(tally.lastSession);
      addKinds(place.others.kinds, tally.kinds);
    }
  }

  #collect(place: Place, path: readonly PathStep[], found: AttributeProfile[]): void {
    if (place.items !== undefined) {
      const step: PathStep = { to: 'items' };
      found.push(profileOf(place.items.tally, [...path, step]));
      this.#collect(place.items, [...path, step], found);
    }
    const masked: AttributeTally[] = place.others === undefined ? [] : [place.others];
    const isMap = place.members.size > MAP_MEMBERS && this.#allRare(place);
    for (const [name, member] of place.members) {
      if (isMap || mustMask(name, member.tally.sessions / Math.max(MIN_SESSIONS, this.#sessions))) {
        masked.push(member.tally);
        continue;
      }
      const step: PathStep = { to: 'member', name };
      found.push(profileOf(member.tally, [...path, step]));
      this.#collect(member, [...path, step], found);
    }
    if (masked.length > 0) found.push(merged(masked, [...path, { to: 'masked' }], place.tally.sessions));
  }

  #allRare(place: Place): boolean {
    const most = Math.max(2, place.tally.sessions * MAP_SHARE);
    return [...place.members.values()].every(({ tally }) => tally.sessions <= most);
  }
}

function countBelow({ members, items }: Pick<Place, 'members' | 'items'>): number {
  let count = items === undefined ? 0 : 1 + countBelow(items);
  for (const member of members.values()) count += 1 + countBelow(member);
  return count;
}

function profileOf(tally: AttributeTally, path: readonly PathStep[]): AttributeProfile {
  const { sessions, kinds, size, bytes, magnitude, distinct } = tally;
  return { path, sessions, kinds, size, bytes, magnitude, distinct };
}

/** What masked members have in common; what they hold is not told beyond its kind. */
function merged(tallies: readonly AttributeTally[], path: readonly PathStep[], most: number): AttributeProfile {
  const kinds: Partial<Record<ValueKind, number>> = {};
  for (const tally of tallies) addKinds(kinds, tally.kinds);
  const sum = tallies.reduce((total, { sessions }) => total + sessions, 0);
  return { path, sessions: Math.min(sum, most), kinds, size: null, bytes: 0, magnitude: null, distinct: null };
}

function addKinds(sum: Partial<Record<ValueKind, number>>, more: Readonly<Partial<Record<ValueKind, number>>>): void {
  for (const [kind, count] of Object.entries(more) as [ValueKind, number][]) sum[kind] = (sum[kind] ?? 0) + count;
}
