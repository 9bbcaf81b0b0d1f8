import { PATIENT_MS } from '@wherry/embedded/testing';
import { randomBytes } from 'node:crypto';
import { RESP_TYPES, createClient } from 'redis';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { SourceStore } from '../source/contract.ts';
import { textOfBytes } from '../source/text-of-bytes.ts';
import { HOUR, newRawId, present, read } from '../testing/source-fixture.ts';
import { createRedisSource } from './source.ts';

const prefix = `${randomBytes(6).toString('hex')}:ü:`;
const BYTES = Buffer.from([0x80, 0x05, 0x00, 0xff, 0xc3, 0xa9, 0x7b, 0x0d, 0x0a]);
const connect = (url: string) => createClient({ url }).connect();
let client: Awaited<ReturnType<typeof connect>>;
let source: SourceStore;
beforeAll(async () => {
  client = await connect(inject('redisUrl'));
  source = createRedisSource({ client, prefix, bytes: true, timeoutMs: PATIENT_MS });
});
afterAll(() => client.close());

const stored = (rawId: string): Promise<unknown> => client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer }).get(prefix + rawId);

test('bytes that are no text come and go as they are', async () => {
  const rawId = `é${newRawId()}`;
  await client.set(prefix + rawId, BYTES);
  expect(await read(source, rawId)).toMatchObject({ rawId, value: textOfBytes(BYTES) });
  const [partition] = await source.partitions();
  const seen = await source.scan(present(partition), null, 100_000);
  expect(seen.sessions.find((session) => session.rawId === rawId)?.value).toBe(textOfBytes(BYTES));
  for (const bytes of [BYTES, Buffer.from('user|s:2:"é";'), Buffer.alloc(0), randomBytes(1000)]) {
    expect(await source.save(rawId, textOfBytes(bytes), HOUR, 1)).toMatchObject({ outcome: 'applied' });
    expect(await stored(rawId)).toEqual(bytes);
    expect(await read(source, rawId)).toMatchObject({ value: textOfBytes(bytes), version: { epoch: 1 } });
  }
  expect(await source.put(rawId, textOfBytes(BYTES), null, { epoch: 2, n: 1 })).toMatchObject({ outcome: 'applied' });
  expect(await stored(rawId)).toEqual(BYTES);
});

test('whoever saves over another one is told what lies there; what was ended stays ended', async () => {
  const rawId = newRawId();
  await source.save(rawId, textOfBytes(BYTES), HOUR, 1, { mark: 'ab' });
  const refused = await source.save(rawId, textOfBytes(Buffer.from('other')), HOUR, 1, { mark: 'cd' });
  expect(refused).toEqual({ outcome: 'differs', mark: 'ab', value: textOfBytes(BYTES) });
  await source.end(rawId, HOUR, 1);
  expect(await read(source, rawId)).toMatchObject({ ended: true, value: '' });
});

test('what no such source has handed over is not written', async () => {
  const rawId = newRawId();
  await expect(source.save(rawId, '{"cookie":{}}', HOUR, 1)).rejects.toMatchObject({ code: 'source_refused' });
  await expect(source.put(rawId, 'user|N;', null, { epoch: 1, n: 1 })).rejects.toMatchObject({ code: 'source_refused' });
  expect(await stored(rawId)).toBeNull();
});
