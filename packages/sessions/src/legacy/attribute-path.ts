import { WherryError } from '@wherry/core';
import { Reference } from './reference.ts';

/** One step of a path: into the member of a name, or over all items of a list. */
type Step = { readonly name: string } | 'items';

/** Where a value stands in a session, step by step. */
export type AttributePath = readonly Step[];

/** Most items of lists that one path is followed over: nested lists that are one and the same would multiply. */
const MAX_ITEMS = 10_000;
const ITEMS = '[]';

/**
 * Parses member names joined by dots. `[]` after a name goes over all items of the list there (`roles[].name`). A
 * backslash takes the character after it for itself, so that a name may hold dots and brackets (`app\.user.id`). Errors:
 * `config_invalid` for an empty name, and for a backslash at the end.
 */
export function parsePath(text: string): AttributePath {
  const steps: Step[] = [];
  let name = '';
  let lists = 0;
  const finish = (): void => {
    if (name === '') throw fault(' has an empty name');
    steps.push({ name }, ...Array.from({ length: lists }, () => 'items' as const));
    name = '';
    lists = 0;
  };
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at);
    if (character === '.') finish();
    else if (text.startsWith(ITEMS, at)) {
      lists++;
      at++;
    } else if (lists > 0) throw fault(' goes on after [] without a dot');
    else if (character !== '\\') name += character;
    else if (at + 1 === text.length) throw fault(' ends in a backslash');
    else name += text.charAt(++at);
  }
  finish();
  return steps;
}

function fault(is: string): WherryError {
  return new WherryError('config_invalid', `a path into the session ${is.trim()}`);
}

/** The value at a path without lists; undefined: there is none. Only a value's own members are followed. */
export function valueAt(root: unknown, path: AttributePath): unknown {
  let value = root;
  for (const step of path) {
    if (step === 'items') return undefined;
    value = member(value, step.name);
  }
  return value instanceof Reference ? value.target : value;
}

function member(of: unknown, name: string): unknown {
  const value = of instanceof Reference ? of.target : of;
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Record<string, unknown>)[name];
}

/** All values at a path; null stands for one that goes over more than 10,000 items. */
export function valuesAt(root: unknown, path: AttributePath): readonly unknown[] | null {
  if (!path.includes('items')) return [valueAt(root, path)];
  let values: unknown[] = [root];
  for (const step of path) {
    const next: unknown[] = [];
    for (const each of values) {
      if (step !== 'items') {
        const value = member(each, step.name);
        if (value !== undefined) next.push(value);
        continue;
      }
      const value = each instanceof Reference ? each.target : each;
      const items = typeof value === 'object' && value !== null ? (itemsOf(value) ?? []) : [];
      if (next.length + items.length > MAX_ITEMS) return null;
      for (const item of items) next.push(item);
    }
    values = next;
  }
  return values.map((value) => (value instanceof Reference ? value.target : value));
}

/** The items of a list. PHP keeps lists with gaps too: members named by numbers alone. undefined: it is no list. */
export function itemsOf(value: object): readonly unknown[] | undefined {
  if (Array.isArray(value)) return value as readonly unknown[];
  const names = Object.keys(value);
  return names.length > 0 && names.every((name) => /^\d{1,10}$/.test(name)) ? (Object.values(value) as readonly unknown[]) : undefined;
}
