import { expect, test } from 'vitest';
import { requiredShardAddresses, shardAddresses, shardNames, shardVariable } from './shard-addresses.ts';

const A = 'postgres://u:hunter2@h/a';
const B = 'postgresql://h/b';
const found = (names: readonly string[], values: Readonly<Record<string, string>>): unknown =>
  shardAddresses(names, (variable) => values[variable]);

test('one variable holds all addresses, or each shard has its own', () => {
  expect(found([], { WHERRY_SHARDS_URLS: `${A},${B}` })).toEqual([
    { name: 'shard0', url: A },
    { name: 'shard1', url: B },
  ]);
  expect(found(['x', 'y'], { WHERRY_SHARDS_URLS: JSON.stringify([A, B]) })).toEqual([
    { name: 'x', url: A },
    { name: 'y', url: B },
  ]);
  expect(found(['x', 'y-1'], { WHERRY_SHARDS_Y_1_URL: B })).toEqual([
    { name: 'x', url: undefined },
    { name: 'y-1', url: B },
  ]);
  const C = 'mysql://u:hunter2@h:3306/c';
  expect(found(['x', 'y'], { WHERRY_SHARDS_URLS: `${A},${C}` })).toEqual([
    { name: 'x', url: A },
    { name: 'y', url: C },
  ]);
  expect(found([], {})).toEqual([]);
  expect(shardVariable('eu-west-1')).toBe('WHERRY_SHARDS_EU_WEST_1_URL');
});

test.each<readonly [readonly string[], Readonly<Record<string, string>>, string]>([
  [
    ['x'],
    { WHERRY_SHARDS_URLS: `${A},${B}` },
    'shards.urls (WHERRY_SHARDS_URLS) has 2 addresses; allowed is one for each of the 1 shards in shards.list',
  ],
  [
    ['x'],
    { WHERRY_SHARDS_URLS: A, WHERRY_SHARDS_X_URL: A },
    'shards.x.url is set twice; allowed is one of WHERRY_SHARDS_X_URL and WHERRY_SHARDS_URLS',
  ],
  [['x'], { WHERRY_SHARDS_X_URL: 'mssql://u:hunter2@h/a' }, 'shards.x.url (WHERRY_SHARDS_X_URL) is not an address; allowed is postgres://'],
  ...[`${A},`, '[', '[1]', '{}', 'hunter2', `${A} ,x`].map(
    (text) =>
      [
        [],
        { WHERRY_SHARDS_URLS: text },
        'shards.urls (WHERRY_SHARDS_URLS) has something that is not an address; allowed is postgres://',
      ] as const,
  ),
])('%j with %j is refused, and no address is told', (names, values, message) => {
  expect(() => found(names, values)).toThrow(
    expect.objectContaining({ code: 'config_invalid', message: expect.stringContaining(message) as string }),
  );
  expect(() => found(names, values)).not.toThrow(/hunter2/);
});

test('names come with commas between or as the list of the configuration', () => {
  expect(shardNames(undefined)).toEqual([]);
  expect(shardNames('')).toEqual([]);
  expect(shardNames('a, b-1')).toEqual(['a', 'b-1']);
  expect(shardNames('[{"name":"a"},{"name":"b"}]')).toEqual(['a', 'b']);
  for (const text of ['A', 'a,,b', '["a"]', '[{"name":1}]', '[', '1a']) expect(() => shardNames(text)).toThrow(/not the name of a shard/);
  expect(() => shardNames('a,a')).toThrow(/has a name twice/);
});

test('a process needs a shard, and the address of each', () => {
  expect(() => requiredShardAddresses([])).toThrow(/^shards\.list is not set; allowed is at least one shard/);
  expect(() => requiredShardAddresses([{ name: 'x', url: undefined }])).toThrow(
    /^shards\.x\.url is not set; allowed is WHERRY_SHARDS_X_URL or WHERRY_SHARDS_X_URL_FILE$/,
  );
  expect(requiredShardAddresses([{ name: 'x', url: A }])).toEqual([{ name: 'x', url: A }]);
});
