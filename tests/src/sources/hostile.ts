import type { Hostile } from './software.ts';

export const LARGE_BYTES: number = 1024 * 1024;
const MANY_ATTRIBUTES: number = 10_000;
/** Deeper than any decoder goes. */
const DEEP = 10_000;

/** The first half of what was a session. */
export function cut(bytes: Buffer): Buffer {
  return bytes.subarray(0, bytes.length >> 1);
}

/** The names of very many attributes. */
export function manyNames(): string[] {
  return Array.from({ length: MANY_ATTRIBUTES }, (_, n) => `a${n}`);
}

/** Hostile sessions in JSON, which cannot hold themselves; `members`: what every session of the software has. */
export function hostileJson(kind: Hostile, members: Readonly<Record<string, unknown>>): string {
  switch (kind) {
    case 'large':
      return JSON.stringify({ text: 'x'.repeat(LARGE_BYTES), ...members });
    case 'many':
      return JSON.stringify({ ...Object.fromEntries(manyNames().map((name) => [name, 1])), ...members });
    case 'cut':
      return cut(Buffer.from(JSON.stringify({ text: 'cut off', ...members }))).toString();
    case 'endless': {
      const rest = JSON.stringify(members).slice(1);
      return `{"deep":${'['.repeat(DEEP)}${']'.repeat(DEEP)}${rest === '}' ? '' : ','}${rest}`;
    }
  }
}
