import { describe, expect, test } from 'vitest';
import { loadConfig } from './load.ts';
import { requireEncryption, requireIdentity, requireSourceCookie, requireSourceFormat } from './required.ts';
import type { WherryConfig } from './config.ts';

function configOf(environment: Record<string, string>, url = 'redis://localhost'): WherryConfig {
  const variables = Object.entries(environment).map(([name, value]) => [`WHERRY_SOURCE_${name}`, value]);
  return loadConfig({ environment: { WHERRY_SOURCE_URL: url, ...Object.fromEntries(variables) } }).config;
}

const refused = (message: string): object => expect.objectContaining({ code: 'config_invalid', message }) as object;

describe('how the application keeps its sessions', () => {
  test('a format brings where its users stand; what is configured comes before it', () => {
    const usual = { userId: 'user.id', username: 'user.name', authorities: ['user.roles', 'user.permissions'] };
    expect(requireIdentity(configOf({}))).toEqual(usual);
    expect(requireIdentity(configOf({ FORMAT: 'php', IDENTITY_USERNAME: 'login' }))).toEqual({ ...usual, username: 'login' });
    expect(requireIdentity(configOf({ FORMAT: 'django-cache' }))).toEqual({ userId: '_auth_user_id' });
    expect(requireIdentity(configOf({ FORMAT: 'django-cache', IDENTITY_AUTHORITIES: 'groups' }))).toEqual({
      userId: '_auth_user_id',
      authorities: ['groups'],
    });
  });

  test('a mapping is a format of its own, for the sources that can hold what it describes', () => {
    const json = { FORMAT: 'mapped', MAPPING_EXPIRE_TIME: 'end', PREFIX: 'login:', COOKIE_NAME: 'auth' };
    expect(requireSourceFormat(configOf(json))).toMatchObject({ name: 'mapped', bytes: false });
    expect(requireSourceFormat(configOf(json, 'dynamodb://localhost:1/sessions'))).toMatchObject({ name: 'mapped' });
    expect(requireSourceCookie(configOf(json)).read('auth=abc')).toEqual({ outcome: 'verified', rawId: 'abc' });
    expect(requireSourceFormat(configOf({ FORMAT: 'mapped', MAPPING_VALUE: 'msgpack' }))).toMatchObject({ bytes: true });
    const pickled = configOf({ FORMAT: 'mapped', MAPPING_VALUE: 'pickle' }, 'dynamodb://localhost:1/sessions');
    expect(() => requireSourceFormat(pickled)).toThrow(
      refused('source.format is "mapped", which no source of kind dynamodb has; allowed is one of connect-dynamodb'),
    );
  });

  test('a signed cookie needs its secrets, a plain one none', () => {
    expect(requireSourceCookie(configOf({ FORMAT: 'php' }))).toMatchObject({ name: 'PHPSESSID', signed: false });
    expect(requireSourceCookie(configOf({ FORMAT: 'mapped' }))).toMatchObject({ name: 'session', signed: false });
    expect(() => requireSourceCookie(configOf({ FORMAT: 'mapped', MAPPING_COOKIE: 'keygrip' }))).toThrow(
      /source\.cookieSecrets is not set/,
    );
    const signed = configOf({ FORMAT: 'mapped', MAPPING_COOKIE: 'keygrip', COOKIE_SECRETS: 'a,b' });
    expect(requireSourceCookie(signed)).toMatchObject({ name: 'session', signed: true });
  });

  test('encryption is of connect-mongo alone, and needs its secret', () => {
    const mongo = 'mongodb://localhost/shop';
    expect(requireEncryption(configOf({}, mongo))).toBeUndefined();
    const encrypted = configOf({ ENCRYPTION: 'kruptein', ENCRYPTION_SECRET: 'theirs' }, mongo);
    expect(requireEncryption(encrypted)).toEqual({ kind: 'kruptein', secret: 'theirs' });
    expect(() => requireEncryption(configOf({ ENCRYPTION: 'webcrypto' }, mongo))).toThrow(/source\.encryptionSecret is not set/);
    expect(() => requireEncryption(configOf({ ENCRYPTION: 'webcrypto', ENCRYPTION_SECRET: 'theirs' }))).toThrow(
      refused('source.encryption is set for a source of kind redis; allowed is none, or a MongoDB source'),
    );
  });
});
