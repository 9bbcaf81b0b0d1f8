import { describe, expect, it } from 'vitest';
import { hasCredentials, parseSourceUrl } from './source-url.ts';

describe('parseSourceUrl', () => {
  it.each([
    ['redis://localhost', { kind: 'redis', url: 'redis://localhost' }],
    ['rediss://:p@r.example:6380/2', { kind: 'redis', url: 'rediss://:p@r.example:6380/2' }],
    ['redis://[::1]:6379', { kind: 'redis', url: 'redis://[::1]:6379' }],
    ['redis-cluster://a:7000,b:7001,[::1]:7002', { kind: 'redis', url: 'redis-cluster://a:7000,b:7001,[::1]:7002', group: 'cluster' }],
    ['rediss-sentinel://:p%40@a,b:26380/main/2', { kind: 'redis', url: 'rediss-sentinel://:p%40@a,b:26380/main/2', group: 'sentinel' }],
    ['dynamodb://127.0.0.1:8000/sessions', { kind: 'dynamodb', endpoint: 'http://127.0.0.1:8000', table: 'sessions', region: 'us-east-1' }],
    [
      'dynamodb://d.example/my.Table_1?tls=true&region=eu-west-1',
      { kind: 'dynamodb', endpoint: 'https://d.example', table: 'my.Table_1', region: 'eu-west-1' },
    ],
    ['dynamodb:///sessions?region=eu-west-1', { kind: 'dynamodb', endpoint: undefined, table: 'sessions', region: 'eu-west-1' }],
    ['mongodb://m.example', { kind: 'mongodb', url: 'mongodb://m.example/', database: undefined, collection: 'sessions' }],
    [
      'mongodb://u:p%40@a:27017,b:27018/shop?replicaSet=rs&collection=app.sessions&tls=true',
      {
        kind: 'mongodb',
        url: 'mongodb://u:p%40@a:27017,b:27018/shop?replicaSet=rs&tls=true',
        database: 'shop',
        collection: 'app.sessions',
      },
    ],
    ['mongodb+srv://m.example/shop', { kind: 'mongodb', url: 'mongodb+srv://m.example/shop', database: 'shop', collection: 'sessions' }],
  ])('reads %s', (text, address) => {
    expect(parseSourceUrl(text)).toEqual(address);
  });

  it.each([
    '',
    'localhost:6379',
    'redis:',
    'redis:///1',
    'redis://h/name',
    'redis://h/1#x',
    'redis-cluster://',
    'redis-cluster://a,,b',
    'redis-cluster://a:0',
    'redis-cluster://a:70000',
    'redis-cluster://a/1',
    'redis-cluster://:%@a',
    'redis-sentinel://a',
    'redis-sentinel://a/main/x',
    'redis-sentinel://a/ma in',
    'redis-ring://a',
    'http://h/t',
    'dynamodb://h',
    'dynamodb://h/',
    'dynamodb://h/ab',
    'dynamodb://h/a/b',
    'dynamodb:///sessions',
    'dynamodb://h/sessions?regoin=x',
    'dynamodb://h/sessions?tls=yes',
    'dynamodb://h/sessions?region=EU',
    'dynamodb://key:secret@h/sessions',
    'mongodb://',
    'mongodb:///shop',
    'mongodb://a,,b/shop',
    'mongodb://u:p@x@h/shop',
    'mongodb://h/a/b',
    'mongodb://h/a.b',
    'mongodb://h/shop#x',
    'mongodb://h/shop?collection=',
    'mongodb://h/shop?collection=a&collection=b',
    'mongodb://h/shop?collection=%',
    'mongodb://h/shop?collection=system.users',
    'mongodbs://h/shop',
  ])('refuses %j', (text) => {
    expect(parseSourceUrl(text)).toBeUndefined();
  });

  it('knows an address of several servers that is a secret, the form of which is wrong included', () => {
    expect(['redis-cluster://a,b', 'redis-cluster://u:p@a,b', 'rediss-sentinel://:p@a'].map(hasCredentials)).toEqual([false, true, true]);
  });

  it('knows an address that is a secret', () => {
    expect(['redis://h', 'redis://:p@h', 'rediss://u:p@h', 'dynamodb://h/t', 'no address'].map(hasCredentials)).toEqual([
      false,
      true,
      true,
      false,
      false,
    ]);
    expect(['mongodb://a,b/d', 'mongodb://u:p@a,b/d', 'mongodb+srv://u:p@h'].map(hasCredentials)).toEqual([false, true, true]);
  });
});
