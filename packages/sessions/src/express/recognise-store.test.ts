import { MongoStore } from 'connect-mongo';
import type { MongoClient } from 'mongodb';
import { expect, test } from 'vitest';
import { recogniseStore } from './recognise-store.ts';

const collection = { createIndex: async () => 'expires_1' };
const client = { db: () => ({ collection: () => collection }) } as unknown as MongoClient;
const store = (options: object): MongoStore => MongoStore.create({ client, ...options });
const refused = (message: string): Error =>
  expect.objectContaining({ code: 'config_invalid', message: expect.stringContaining(message) as string }) as Error;

test('connect-mongo is known by its fields', () => {
  expect(recogniseStore(store({ dbName: 'shop', collectionName: 'app', ttl: 60, stringify: false }))).toMatchObject({
    layout: 'connect-mongo',
    database: 'shop',
    collection: 'app',
    prefix: '',
    payload: 'document',
    cipher: undefined,
    defaultIdleMs: 60_000,
  });
  expect(recogniseStore(store({ crypto: { secret: 'theirs' } }))).toMatchObject({ collection: 'sessions', payload: 'text', cipher: {} });
});

test('a prefix is undone, any other change of ids and any other form of sessions is refused', () => {
  expect(recogniseStore(store({ transformId: (id: string) => `app:${id}` }))).toMatchObject({ prefix: 'app:' });
  const others = [
    (id: string) => `${id}:app`,
    (id: string) => id.toUpperCase(),
    (id: string) => `${id.length}${id[0]}${id}`,
    () => 'one',
    () => 7,
  ];
  for (const transformId of others) expect(() => recogniseStore(store({ transformId }))).toThrow(refused('transformId'));
  for (const option of ['serialize', 'unserialize'])
    expect(() => recogniseStore(store({ [option]: (value: unknown) => value }))).toThrow(refused('serialize'));
});
