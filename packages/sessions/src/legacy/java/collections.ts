import { fieldOf, objectsOf } from './fields.ts';
import type { JavaObject, JavaValue } from './values.ts';

/** Collections that write their items one after another, behind their sizes (their `writeObject` methods in the JDK). */
const LISTS: ReadonlySet<string> = new Set([
  'java.util.ArrayList',
  'java.util.LinkedList',
  'java.util.HashSet',
  'java.util.LinkedHashSet',
  'java.util.ArrayDeque',
  'java.util.PriorityQueue',
  'java.util.concurrent.CopyOnWriteArrayList',
]);
/** The same, behind a comparator. */
const SORTED_SETS: ReadonlySet<string> = new Set(['java.util.TreeSet']);
/** Maps that write keys and values in turn. */
const MAPS: ReadonlySet<string> = new Set([
  'java.util.HashMap',
  'java.util.LinkedHashMap',
  'java.util.TreeMap',
  'java.util.Hashtable',
  'java.util.IdentityHashMap',
  'java.util.concurrent.ConcurrentSkipListMap',
]);
/** Maps that write a pair of nulls at their end. */
const CONCURRENT_MAPS: ReadonlySet<string> = new Set(['java.util.concurrent.ConcurrentHashMap']);
/** Collections that are another one with less to do, or with locks; and where they keep it. */
const WRAPPERS: ReadonlyMap<string, string> = new Map([
  ['java.util.Collections$UnmodifiableCollection', 'c'],
  ['java.util.Collections$UnmodifiableSet', 'c'],
  ['java.util.Collections$UnmodifiableSortedSet', 'c'],
  ['java.util.Collections$UnmodifiableList', 'c'],
  ['java.util.Collections$UnmodifiableRandomAccessList', 'c'],
  ['java.util.Collections$UnmodifiableMap', 'm'],
  ['java.util.Collections$UnmodifiableSortedMap', 'm'],
  ['java.util.Collections$SynchronizedCollection', 'c'],
  ['java.util.Collections$SynchronizedSet', 'c'],
  ['java.util.Collections$SynchronizedList', 'c'],
  ['java.util.Collections$SynchronizedRandomAccessList', 'c'],
  ['java.util.Collections$SynchronizedMap', 'm'],
  ['java.util.Arrays$ArrayList', 'a'],
]);
const EMPTY_LISTS: ReadonlySet<string> = new Set(['java.util.Collections$EmptyList', 'java.util.Collections$EmptySet']);
const EMPTY_MAPS: ReadonlySet<string> = new Set(['java.util.Collections$EmptyMap']);
const SINGLETONS: ReadonlySet<string> = new Set(['java.util.Collections$SingletonList', 'java.util.Collections$SingletonSet']);
const SINGLETON_MAPS: ReadonlySet<string> = new Set(['java.util.Collections$SingletonMap']);
/** What `List.of`, `Set.of` and `Map.of` are written as: `tag` tells which. */
const IMMUTABLE = 'java.util.CollSer';
const IMMUTABLE_MAP = 3;

/** The collection that an object is a view of; undefined: it is none. */
export function innerOf(object: JavaObject): JavaValue | undefined {
  const field = WRAPPERS.get(object.class.name);
  return field === undefined ? undefined : (fieldOf(object, field) ?? null);
}

/** The items of a list or a set; undefined: it is none. */
export function itemsOf(object: JavaObject): readonly JavaValue[] | undefined {
  const { name } = object.class;
  if (LISTS.has(name)) return objectsOf(object);
  if (SORTED_SETS.has(name)) return objectsOf(object).slice(1);
  if (EMPTY_LISTS.has(name)) return [];
  if (SINGLETONS.has(name)) return [fieldOf(object, 'element') ?? null];
  if (name === IMMUTABLE && immutableTag(object) !== IMMUTABLE_MAP) return objectsOf(object);
  return undefined;
}

/** The keys of a map with their values; undefined: it is none. */
export function entriesOf(object: JavaObject): readonly (readonly [JavaValue, JavaValue])[] | undefined {
  const { name } = object.class;
  if (MAPS.has(name)) return pairs(objectsOf(object));
  if (CONCURRENT_MAPS.has(name)) return pairs(objectsOf(object).slice(0, -2));
  if (EMPTY_MAPS.has(name)) return [];
  if (SINGLETON_MAPS.has(name)) return [[fieldOf(object, 'k') ?? null, fieldOf(object, 'v') ?? null]];
  if (name === IMMUTABLE && immutableTag(object) === IMMUTABLE_MAP) return pairs(objectsOf(object));
  return undefined;
}

function immutableTag(object: JavaObject): number {
  const tag = fieldOf(object, 'tag');
  // The upper bytes are kept for later versions of the JDK.
  return typeof tag === 'number' ? tag & 0xff : 0;
}

function pairs(values: readonly JavaValue[]): (readonly [JavaValue, JavaValue])[] {
  const found: (readonly [JavaValue, JavaValue])[] = [];
  for (let i = 0; i + 1 < values.length; i += 2) found.push([values[i] ?? null, values[i + 1] ?? null]);
  return found;
}
