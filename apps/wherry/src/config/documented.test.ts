import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { APPLICATION_VARIABLE, SECRET_VARIABLES } from './environment.ts';
import { CONFIG_SCHEMA } from './schema.ts';
import type { Schema } from './schema-type.ts';

const page = readFileSync(new URL('../../../../docs/5-operations.md', import.meta.url), 'utf8');
/** What stands in the tables between back ticks; in a row `a.b`, `.c` the second is a.c. */
const named = new Set(
  page
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .flatMap((line) => {
      const names = [...(line.split('|')[1] ?? '').matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);
      const section = names[0]?.replace(/\.[^.]*$/, '') ?? '';
      return names.map((name) => (name.startsWith('.') ? section + name : name));
    }),
);

/** Every key with a value, those in lists of objects too: `gateway.routes[].prefix`. */
function keysOf(schema: Schema, path: string): string[] {
  if (schema.type === 'object') return Object.entries(schema.properties).flatMap(([name, part]) => keysOf(part, `${path}.${name}`));
  if (schema.type === 'array' && schema.items.type === 'object')
    return [path, ...Object.keys(schema.items.properties).map((name) => `${path}[].${name}`)];
  return [path];
}

const keys = Object.entries(CONFIG_SCHEMA.properties).flatMap(([name, section]) => keysOf(section, name));

test.each(keys)('%s is documented for operators', (key) => {
  const [section, last] = [key.replace(/\.[^.]*$/, ''), key.replace(/.*\./, '')];
  // One row stands for the ports and hosts of all roles, one for the paths of an identity, and one for the members of a list.
  const listRow =
    section.endsWith('[]') &&
    page.split('\n').some((line) => line.startsWith(`| \`${section.slice(0, -2)}\``) && new RegExp(`\`${last}[\`:]`).test(line));
  expect(named.has(key) || named.has(`*.${last}`) || named.has(`${section}.*`) || listRow).toBe(true);
});

test.each([...Object.values(SECRET_VARIABLES), APPLICATION_VARIABLE])('the secret %s is documented for operators', (variable) => {
  expect(page).toContain(`\`${variable}\``);
});
