import { describe, expect, it } from 'vitest';
import { ConfigError, readConfig } from './config.ts';

const good = { SESSION_SECRET: 'long enough', LEGACY_SOURCE: 'dynamodb://127.0.0.1:8000/sessions' };

describe('readConfig', () => {
  it('reads every kind of source', () => {
    expect(readConfig(good).source).toEqual({ kind: 'dynamodb', endpoint: 'http://127.0.0.1:8000', table: 'sessions' });
    expect(readConfig({ ...good, LEGACY_SOURCE: 'redis://127.0.0.1/2' }).source).toEqual({ kind: 'redis', url: 'redis://127.0.0.1/2' });
    const url = 'mongodb://a:27017,b:27017/shop?replicaSet=rs';
    expect(readConfig({ ...good, LEGACY_SOURCE: url }).source).toEqual({ kind: 'mongodb', url, stringify: true });
  });

  it('is instrumented only when the control database is named', () => {
    expect(readConfig(good).instrumented).toBe(false);
    expect(readConfig({ ...good, WHERRY_CONTROL_URL: 'postgres://127.0.0.1/control' }).instrumented).toBe(true);
  });

  it.each([
    [{ SESSION_SECRET: 'short' }, 'SESSION_SECRET'],
    [{ LEGACY_SOURCE: 'mysql://root:topsecret@127.0.0.1/x' }, 'LEGACY_SOURCE'],
    [{ LEGACY_SOURCE: 'dynamodb://127.0.0.1:8000/' }, 'LEGACY_SOURCE'],
    [{ LEGACY_SOURCE: 'mongodb://root:topsecret@127.0.0.1' }, 'LEGACY_SOURCE'],
    [{ PORT: '70000' }, 'PORT'],
    [{ SESSION_TTL_SECONDS: '1e3' }, 'SESSION_TTL_SECONDS'],
    [{ LEGACY_STATELESS: '1' }, 'LEGACY_AUTH_URL'],
    [{ LEGACY_STATELESS: '1', LEGACY_AUTH_URL: 'http://127.0.0.1:1', LEGACY_CLIENT_ID: 'shop' }, 'LEGACY_CLIENT_SECRET'],
  ])('names the variable that is wrong: %o', (wrong, name) => {
    const attempt = (): unknown => readConfig({ ...good, ...wrong });
    expect(attempt).toThrow(ConfigError);
    expect(attempt).toThrow(name);
    expect(attempt).not.toThrow('topsecret');
  });
});
