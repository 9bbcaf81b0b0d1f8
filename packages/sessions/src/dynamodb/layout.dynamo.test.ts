import { PATIENT_MS } from '@wherry/embedded/testing';
import { GetItemCommand, PutItemCommand, UpdateItemCommand, type AttributeValue, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { Sealer } from '@wherry/core';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { SourceStore } from '../source/contract.ts';
import { createSessionTable, type SessionTable } from '../testing/dynamo-session-table.ts';
import { HOUR, newRawId, present, read, sessionValue } from '../testing/source-fixture.ts';
import { createDynamoSource } from './source.ts';
import type { DynamoSender } from './table.ts';

let own: SessionTable;
let source: SourceStore;

beforeAll(async () => {
  own = await createSessionTable(inject('dynamoEndpoint'));
  source = createDynamoSource({ client: own.client, table: own.table, timeoutMs: PATIENT_MS });
});
afterAll(() => own.drop());

async function item(rawId: string): Promise<Record<string, AttributeValue> | undefined> {
  return (await own.client.send(new GetItemCommand({ TableName: own.table, Key: { id: { S: `sess:${rawId}` } } }))).Item;
}

async function plant(rawId: string, attributes: Record<string, AttributeValue>): Promise<void> {
  await own.client.send(new PutItemCommand({ TableName: own.table, Item: { id: { S: `sess:${rawId}` }, ...attributes } }));
}

describe('the layout of connect-dynamodb', () => {
  test('a session has the attributes of the application and a version beside them', async () => {
    const rawId = newRawId();
    await source.put(rawId, sessionValue(), 1_900_000_000_123, { epoch: 2, n: 5 });
    expect(await item(rawId)).toEqual({
      id: { S: `sess:${rawId}` },
      sess: { S: sessionValue() },
      expires: { N: '1900000000.123' },
      type: { S: 'connect-session' },
      w: { N: '5' },
      we: { N: '2' },
    });
  });

  test('a tombstone keeps id, version and a later expiry, not the session', async () => {
    const rawId = newRawId();
    await source.save(rawId, sessionValue(), HOUR, 1);
    const before = Date.now() / 1000;
    await source.end(rawId, 2 * HOUR, 1);
    const tombstone = await item(rawId);
    expect(tombstone).toMatchObject({ ended: { BOOL: true }, w: { N: '1' }, we: { N: '1' } });
    expect(tombstone?.['sess']).toBeUndefined();
    expect(Number(tombstone?.['expires']?.N)).toBeGreaterThanOrEqual(before + 7200);
  });

  test('a write leaves attributes alone that it does not know', async () => {
    const rawId = newRawId();
    await plant(rawId, { sess: { S: sessionValue('old') }, expires: { N: '1900000000' }, email: { S: 'special key' } });
    await source.save(rawId, sessionValue('new'), HOUR, 0);
    expect(await item(rawId)).toMatchObject({ sess: { S: sessionValue('new') }, email: { S: 'special key' } });
  });

  test('expiry in seconds, with fractions, and none at all', async () => {
    const [whole, fraction, never, past] = [newRawId(), newRawId(), newRawId(), newRawId()];
    await plant(whole, { sess: { S: '{}' }, expires: { N: '1900000000' } });
    await plant(fraction, { sess: { S: '{}' }, expires: { N: '1900000000.9876' } });
    await plant(never, { sess: { S: '{}' } });
    await plant(past, { sess: { S: '{}' }, expires: { N: '1700000000.5' } });
    const found = await source.get([whole, fraction, never, past]);
    expect(found.map((session) => session?.expireTime)).toEqual([1_900_000_000_000, 1_900_000_000_988, null, undefined]);
    expect(await source.touch(past, HOUR, 0)).toEqual({ outcome: 'missing' });
    expect(await source.touch(never, HOUR, 0)).toMatchObject({ outcome: 'applied' });
  });

  test('an item with neither session nor tombstone is absent', async () => {
    const rawId = newRawId();
    await plant(rawId, { expires: { N: '1900000000' }, type: { S: 'connect-session' } });
    expect(await read(source, rawId)).toBeUndefined();
    expect(await source.touch(rawId, HOUR, 0)).toEqual({ outcome: 'missing' });
    expect(await source.put(rawId, sessionValue(), null, { epoch: 0, n: 0 })).toMatchObject({ outcome: 'applied' });
  });

  test('a tombstone that an old writer touched stays one', async () => {
    const rawId = newRawId();
    await source.end(rawId, HOUR, 0);
    const expires = { N: String(Date.now() / 1000 + 3600) };
    const key = { TableName: own.table, Key: { id: { S: `sess:${rawId}` } } };
    await own.client.send(
      new UpdateItemCommand({ ...key, UpdateExpression: 'SET expires = :e', ExpressionAttributeValues: { ':e': expires } }),
    );
    expect(await read(source, rawId)).toMatchObject({ ended: true });
    expect(await source.save(rawId, sessionValue(), HOUR, 0)).toEqual({ outcome: 'ended' });
  });

  test('items of others in the table are not scanned', async () => {
    const stranger = newRawId();
    await own.client.send(new PutItemCommand({ TableName: own.table, Item: { id: { S: `other:${stranger}` }, sess: { S: '{}' } } }));
    for (const partition of await source.partitions()) {
      const { sessions } = await source.scan(partition, null, 1000);
      expect(sessions.filter(({ rawId }) => rawId.includes(stranger))).toEqual([]);
    }
  });

  test('a cursor names no session where it is sealed', async () => {
    const sealer = new Sealer(Buffer.alloc(32, 7), 'cursor');
    const sealed = createDynamoSource({ client: own.client, table: own.table, segments: 1, sealer, timeoutMs: PATIENT_MS });
    for (let i = 0; i < 5; i++) await sealed.save(newRawId(), sessionValue(), HOUR, 0);
    const [partition] = await sealed.partitions();
    const { next, sessions } = await sealed.scan(present(partition), null, 2);
    expect(next).toMatch(/^sealed:/);
    expect(Buffer.from(present(next).slice(7), 'base64url').toString('latin1')).not.toContain(sessions.at(-1)?.rawId);
    // Sealed under another key, or damaged, it is no cursor.
    const other = createDynamoSource({
      client: own.client,
      table: own.table,
      segments: 1,
      sealer: new Sealer(Buffer.alloc(32, 8), 'cursor'),
    });
    await expect(other.scan(present(partition), next, 2)).rejects.toMatchObject({ code: 'source_cursor_lost' });
    await expect(source.scan(present(partition), next, 2)).rejects.toMatchObject({ code: 'source_cursor_lost' });
  });

  test('what the service refuses is told, without the value', async () => {
    const value = 'x'.repeat(410_000);
    const refusal = await source.save(newRawId(), value, HOUR, 0).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: 'source_refused' });
    expect((refusal as Error).message).not.toContain('xx');
    await expect(source.save('x'.repeat(2048), sessionValue(), HOUR, 0)).rejects.toMatchObject({ code: 'bad_request' });
    expect(await source.get(['x'.repeat(2048)])).toEqual([undefined]);
    const nowhere = createDynamoSource({ client: own.client, table: 'missing-table', timeoutMs: PATIENT_MS });
    await expect(nowhere.get(['a'])).rejects.toMatchObject({ code: 'source_refused' });
  });
});

describe('a service that asks for patience', () => {
  test('throttled calls are repeated, keys left out are asked for again', async () => {
    const rawIds = Array.from({ length: 250 }, newRawId);
    await Promise.all(rawIds.map((rawId) => source.save(rawId, sessionValue(rawId), HOUR, 0)));
    const witness = { calls: 0 };
    const strained = createDynamoSource({ client: strain(own.client, witness), table: own.table, timeoutMs: PATIENT_MS });
    expect((await strained.get(rawIds)).map((session) => session?.value)).toEqual(rawIds.map(sessionValue));
    expect(witness.calls).toBeGreaterThan(10);
    expect(await strained.save(present(rawIds[0]), sessionValue('again'), HOUR, 0)).toMatchObject({
      outcome: 'applied',
      version: { n: 2 },
    });
    const scanned = new Set<string>();
    for (const partition of await strained.partitions()) {
      const { sessions, next } = await strained.scan(partition, null, 5000);
      expect(next).toBeNull();
      for (const { rawId } of sessions) scanned.add(rawId);
    }
    expect(rawIds.filter((rawId) => !scanned.has(rawId))).toEqual([]);
  });

  test('patience has an end', async () => {
    const client = { send: () => Promise.reject(throttled()) } as unknown as DynamoSender;
    await expect(createDynamoSource({ client, table: own.table }).get(['a'])).rejects.toMatchObject({ code: 'source_unavailable' });
  });

  test('a service that cannot be reached, and one that does not answer', async () => {
    const away = createDynamoSource({
      connection: { endpoint: 'http://127.0.0.1:9', region: 'local', credentials: { accessKeyId: 'a', secretAccessKey: 'b' } },
    });
    await expect(away.get(['a'])).rejects.toMatchObject({ code: 'source_unavailable' });
    await expect(away.save('a', '{}', HOUR, 0)).rejects.toMatchObject({ code: 'source_unavailable' });
    await away.close();
    const silent = createDynamoSource({ client: own.client, table: own.table, timeoutMs: 1 });
    await expect(Promise.all(Array.from({ length: 50 }, () => silent.count()))).rejects.toMatchObject({ code: 'source_unavailable' });
  });
});

function throttled(): Error {
  const error = Object.assign(new Error('slow down'), { $metadata: { httpStatusCode: 400 } });
  error.name = 'ProvisionedThroughputExceededException';
  return error;
}

/** The real client, refusing every third call and answering a third of each batch only. */
function strain(client: DynamoDBClient, witness: { calls: number }): DynamoSender {
  const send = async (command: { input: { RequestItems?: Record<string, { Keys?: unknown[] }> } }, options: object): Promise<unknown> => {
    if (++witness.calls % 3 === 0) throw throttled();
    const request = command.input.RequestItems?.[own.table];
    const keys = request?.Keys;
    if (request === undefined || keys === undefined) return client.send(command as never, options as never);
    const part = Math.ceil(keys.length / 3);
    request.Keys = keys.slice(0, part);
    const answer = (await client.send(command as never, options as never)) as object;
    request.Keys = keys;
    return part === keys.length ? answer : { ...answer, UnprocessedKeys: { [own.table]: { ...request, Keys: keys.slice(part) } } };
  };
  return { send };
}
