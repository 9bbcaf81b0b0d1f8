import { printableName } from './attribute-name.ts';
import type { PathStep } from './attribute-profiles.ts';

/** A path for people: names joined by dots, `[]` for items, `*` for names that are not told. */
export function pathText(path: readonly PathStep[]): string {
  let text = '';
  for (const step of path) {
    if (step.to === 'items') text += '[]';
    else text += `${text === '' ? '' : '.'}${step.to === 'masked' ? '*' : printableName(step.name)}`;
  }
  return text;
}

/** The names along a path of members; undefined where it goes through an array or a name that is not told. */
export function memberNames(path: readonly PathStep[]): readonly string[] | undefined {
  const names: string[] = [];
  for (const step of path) {
    if (step.to !== 'member') return undefined;
    names.push(step.name);
  }
  return names;
}

/** The path as a configuration names it (`user.id`); undefined where a name holds a dot or it is no path of members. */
export function dottedPath(path: readonly PathStep[]): string | undefined {
  const names = memberNames(path);
  return names === undefined || names.some((name) => name === '' || name.includes('.')) ? undefined : names.join('.');
}
