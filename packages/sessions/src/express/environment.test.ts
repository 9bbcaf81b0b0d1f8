import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { identityFrom, refuseMasterKey, secretFrom, shardsFrom, sourceRefKeyFrom } from './environment.ts';
import { sourceRefKeyOf, sourceRefKeyText } from '../source-ref-key.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'wherry-environment-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function thrownBy(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return error;
  }
}

function fileWith(content: string): string {
  const file = join(folder, 'secret');
  writeFileSync(file, content);
  return file;
}

test('a secret comes from its variable or from the file that is named, and not from both', () => {
  expect(secretFrom({ S: 'text' }, 'S')).toBe('text');
  expect(secretFrom({ S_FILE: fileWith('text\n') }, 'S')).toBe('text');
  expect(() => secretFrom({ S: 'hunter2', S_FILE: fileWith('hunter2') }, 'S')).toThrow(/^S and S_FILE are both set/);
  expect(() => secretFrom({}, 'S')).toThrow(/^S is not set; allowed is S or S_FILE$/);
  expect(() => secretFrom({ S_FILE: fileWith('') }, 'S')).toThrow(/^S is not set/);
  expect(() => secretFrom({ S_FILE: '/nowhere/hunter2' }, 'S')).toThrow(/^S_FILE names a file that cannot be read \(ENOENT\)$/);
});

test('the shards are found as the services find them: all in one variable, or by name', () => {
  const [a, b] = ['postgres://h/a', 'postgres://h/b'];
  expect(shardsFrom({ WHERRY_SHARDS_URLS: `${a}, ${b}` })).toEqual([
    { name: 'shard0', url: a },
    { name: 'shard1', url: b },
  ]);
  const named = [
    { name: 'eu-1', url: a },
    { name: 'us', url: b },
  ];
  expect(shardsFrom({ WHERRY_SHARDS_LIST: 'eu-1,us', WHERRY_SHARDS_URLS_FILE: fileWith(`["${a}","${b}"]\n`) })).toEqual(named);
  const each = { WHERRY_SHARDS_EU_1_URL: a, WHERRY_SHARDS_US_URL_FILE: fileWith(`${b}\n`) };
  expect(shardsFrom({ WHERRY_SHARDS_LIST: 'eu-1,us', ...each })).toEqual(named);
  expect(shardsFrom({ WHERRY_SHARDS_LIST: '[{"name":"us"},{"name":"eu-1"}]', ...each })).toEqual(named.toReversed());
  // The order is in the list alone.
  expect(() => shardsFrom(each)).toThrow(/^shards\.list is not set; allowed is at least one shard: WHERRY_SHARDS_URLS, or shards\.list/);
  expect(() => shardsFrom({ WHERRY_SHARDS_LIST: 'eu-1,us,asia', ...each })).toThrow(
    /^shards\.asia\.url is not set; allowed is WHERRY_SHARDS_ASIA_URL or/,
  );
});

test('the source-ref key is taken, and the master key is refused in both places', () => {
  const masterKey = Buffer.alloc(32, 9);
  const text = sourceRefKeyText(sourceRefKeyOf(masterKey));
  expect(sourceRefKeyFrom({ WHERRY_SOURCE_REF_KEY_FILE: fileWith(`${text}\n`) }).equals(sourceRefKeyOf(masterKey))).toBe(true);
  expect(() => sourceRefKeyFrom({})).toThrow(
    /^WHERRY_SOURCE_REF_KEY is not set; allowed is WHERRY_SOURCE_REF_KEY or WHERRY_SOURCE_REF_KEY_FILE$/,
  );
  const base64 = masterKey.toString('base64');
  const refusal = thrownBy(() => sourceRefKeyFrom({ WHERRY_SOURCE_REF_KEY: base64 }));
  expect(refusal).toMatchObject({ code: 'config_invalid', message: expect.stringContaining('wherry config app-key') as string });
  expect((refusal as Error).message).not.toContain(base64);
  for (const name of ['WHERRY_MASTER_KEY', 'WHERRY_MASTER_KEY_FILE']) {
    expect(thrownBy(() => refuseMasterKey({ [name]: base64, WHERRY_SOURCE_REF_KEY: text }))).toMatchObject({
      code: 'config_invalid',
      message: `${name} is set, and an application must not have the master key; allowed is WHERRY_SOURCE_REF_KEY or WHERRY_SOURCE_REF_KEY_FILE, which "wherry config app-key" gives out`,
    });
  }
  refuseMasterKey({ WHERRY_SOURCE_REF_KEY: text });
});

test('who a session belongs to stands where the services look for it', () => {
  expect(identityFrom({})).toEqual({ userId: 'user.id', username: 'user.name', authorities: ['user.roles', 'user.permissions'] });
  expect(identityFrom({ WHERRY_SOURCE_IDENTITY_USER_ID: 'u', WHERRY_SOURCE_IDENTITY_AUTHORITIES: 'a, b' })).toMatchObject({
    userId: 'u',
    authorities: ['a', 'b'],
  });
});
