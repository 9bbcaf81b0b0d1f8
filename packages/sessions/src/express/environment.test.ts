import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { identityFrom, masterKeyFrom, secretFrom, secretsFrom } from './environment.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'wherry-environment-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

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

test('several come with commas between, or as JSON', () => {
  expect(secretsFrom({ S: 'a, b' }, 'S')).toEqual(['a', 'b']);
  expect(secretsFrom({ S_FILE: fileWith('["a,b","c"]\n') }, 'S')).toEqual(['a,b', 'c']);
  for (const S of ['a,,b', '[', '[]', '[1]']) expect(() => secretsFrom({ S }, 'S')).toThrow(/^S is not a list/);
});

test('the master key has 32 bytes', () => {
  const key = Buffer.alloc(32, 9);
  expect(masterKeyFrom({ WHERRY_MASTER_KEY_FILE: fileWith(`${key.toString('base64')}\n`) })).toEqual(key);
  expect(() => masterKeyFrom({ WHERRY_MASTER_KEY: 'aGk=' })).toThrow(/has 2 bytes/);
});

test('who a session belongs to stands where the services look for it', () => {
  expect(identityFrom({})).toEqual({ userId: 'user.id', username: 'user.name', authorities: ['user.roles', 'user.permissions'] });
  expect(identityFrom({ WHERRY_SOURCE_IDENTITY_USER_ID: 'u', WHERRY_SOURCE_IDENTITY_AUTHORITIES: 'a, b' })).toMatchObject({
    userId: 'u',
    authorities: ['a', 'b'],
  });
});
