import { define } from '../java/plain.ts';

const TYPE = '@class';
/** What `Class.getName` gives: of arrays with brackets, of nested classes with dollars. */
const CLASS_NAME = /^\[*[A-Za-z_][\w$]*(?:\.[\w$]+)+;?$/;

/**
 * Plain values from JSON as Jackson writes it with the types of values in it: `["java.util.ArrayList", […]]`, and objects
 * with a member `@class`. Types are left out, and told to `enrich` with the members of their objects. The text has been
 * parsed, within a depth.
 */
export function plainOfTyped(value: unknown, enrich: (className: string, members: Record<string, unknown>) => void): unknown {
  if (Array.isArray(value)) {
    const [type, content] = value as unknown[];
    const typed = value.length === 2 && typeof type === 'string' && CLASS_NAME.test(type);
    // The array within is the list itself: its first item is no type, even where it looks like one.
    const inner = typed ? content : value;
    return Array.isArray(inner) ? inner.map((item) => plainOfTyped(item, enrich)) : plainOfTyped(inner, enrich);
  }
  if (typeof value !== 'object' || value === null) return value;
  const members: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(value)) if (name !== TYPE) define(members, name, plainOfTyped(member, enrich));
  const type = Object.hasOwn(value, TYPE) ? (value as Record<string, unknown>)[TYPE] : undefined;
  if (typeof type === 'string') enrich(type, members);
  return members;
}
