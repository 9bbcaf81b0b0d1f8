import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { pageOf } from './testing/page.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const read = (file: string): string => readFileSync(root + file, 'utf8');
const sources = (pattern: string): string =>
  globSync(pattern, { cwd: root })
    .filter((file) => !/\.test\.ts$|\/testing\/|node_modules/.test(file))
    .map(read)
    .join('\n');
const found = (text: string, pattern: RegExp): string[] => [...new Set([...text.matchAll(pattern)].map(([, name = '']) => name))];

const architecture = read('ARCHITECTURE.md');
const readme = read('README.md');

const tables = globSync('{packages,services}/*/sql/**/*.sql', { cwd: root }).flatMap((file) =>
  found(read(file), /CREATE TABLE (?:IF NOT EXISTS )?(\w+)/g),
);
test.each(tables)('the table %s stands in ARCHITECTURE', (table) => {
  expect(architecture.includes(`\`${table}\``)).toBe(true);
});

const packages = globSync('packages/*/package.json', { cwd: root }).map((file) => file.replace('/package.json', ''));
test.each(packages)('%s stands in the layers of ARCHITECTURE and in the README', (folder) => {
  expect([architecture.includes(`[${folder}]`), readme.includes(`](${folder})`)]).toEqual([true, true]);
});

const pages = globSync('docs/*.md', { cwd: root });
test.each(pages)('%s is reached from the README', (file) => {
  expect(readme.includes(`](${file})`)).toBe(true);
});

const routes = found(sources('services/auth/src/**/*.ts'), /\bapp\.(?:get|post)(?:<[^(]*>)?\('([^']+)'/g);
test.each(routes)('the route %s of auth stands among its endpoints', (route) => {
  expect(pageOf('12-endpoints.md').includes(route)).toBe(true);
});

const metrics = found(sources('{packages,services}/*/src/**/*.ts'), /name: '(wherry_[a-z_]+)'/g);
test.each(metrics)('operators are told of %s', (metric) => {
  const rows = pageOf('5-operations.md')
    .split('\n')
    .filter((line) => line.startsWith('| `wherry_'));
  // In a row `wherry_a_b`, `…_c` the second is wherry_a_c.
  const isNamed = rows.some((row) =>
    [...row.matchAll(/`([^`{]+)/g)].some(([, name = '']) => name === metric || (name.startsWith('…') && metric.endsWith(name.slice(1)))),
  );
  expect(isNamed).toBe(true);
});
