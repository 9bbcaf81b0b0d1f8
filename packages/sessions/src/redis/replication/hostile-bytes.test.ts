import fc from 'fast-check';
import { isWherryError } from '@wherry/core';
import { expect, test } from 'vitest';
import { ByteReader, type ByteSource } from './byte-reader.ts';
import { readCommand } from './command-reader.ts';
import { Crc64 } from './crc64.ts';
import { unpackLzf } from './lzf.ts';
import { readRdbKeys } from './rdb.ts';
import { SessionChanges } from './session-changes.ts';
import { readSnapshot } from './snapshot.ts';

/** The bytes in chunks of the given sizes, then the end. */
function chunked(bytes: Uint8Array, sizes: readonly number[]): ByteSource {
  const buffer = Buffer.from(bytes);
  return (async function* chunks(): AsyncGenerator<Buffer> {
    for (let at = 0, n = 0; at < buffer.length; n++) {
      const size = Math.max(1, sizes[n % Math.max(1, sizes.length)] ?? 1);
      yield buffer.subarray(at, at + size);
      at += size;
    }
  })();
}

async function keysOf(bytes: Uint8Array, sizes: readonly number[] = [64]): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key, database } of readRdbKeys(new ByteReader(chunked(bytes, sizes)))) keys.push(`${database} ${key.toString()}`);
  return keys;
}

/** A snapshot of a text and a number under a key, a list and a hash, with its checksum. */
function snapshot(): Buffer {
  const body = Buffer.concat([
    Buffer.from('REDIS0011'),
    Buffer.from([0xfa, 3]),
    Buffer.from('ver'),
    Buffer.from([5]),
    Buffer.from('7.0.1'),
    Buffer.from([0xfe, 2, 0xfb, 4, 1]),
    Buffer.from([0xfc, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1]),
    Buffer.from('a'),
    // 16-bit integer
    Buffer.from([0xc1, 0x39, 0x30]),
    Buffer.from([1, 1]),
    Buffer.from('l'),
    Buffer.from([2, 0xc0, 5, 1, 0x78]),
    Buffer.from([0xf9, 7, 4, 1]),
    Buffer.from('h'),
    Buffer.from([1, 1, 0x66, 1, 0x76]),
    // A packed key: 'aaaaaaaaaa'.
    Buffer.from([0, 0xc3, 5, 10, 0, 0x61, 0xe0, 0, 0, 1, 0x7a]),
    Buffer.from([0xff]),
  ]);
  const checksum = new Crc64();
  checksum.update(body);
  const end = Buffer.alloc(8);
  end.writeBigUInt64LE(checksum.value);
  return Buffer.concat([body, end]);
}

test('the checksum of its specification', () => {
  const checksum = new Crc64();
  checksum.update(Buffer.from('123456789'));
  expect(checksum.value).toBe(0xe9c6d914c4b8d9can);
});

test('a snapshot in chunks of any sizes', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 }), async (sizes) => {
      expect(await keysOf(snapshot(), sizes)).toEqual(['2 a', '2 l', '2 h', '2 aaaaaaaaaa']);
    }),
    { numRuns: 50 },
  );
});

test('a changed byte of a snapshot is noticed, or is one that stands for nothing', async () => {
  const good = snapshot();
  for (let at = 0; at < good.length; at++) {
    const bad = Buffer.from(good);
    bad[at] = (bad[at] ?? 0) ^ 0x01;
    await expect(keysOf(bad)).rejects.toMatchObject({ code: 'source_unavailable' });
  }
});

test('no bytes whatever do anything but end the reading by an error of ours', async () => {
  const reads = [
    (reader: ByteReader) => readAll(readRdbKeys(reader)),
    (reader: ByteReader) => readAll(readSnapshot(reader)),
    async (reader: ByteReader) => {
      const changes = new SessionChanges({ prefix: 's', database: 0, now: () => 0 }, 0);
      for (;;) changes.add(await readCommand(reader));
    },
  ];
  const starts = [
    '',
    'REDIS0011',
    '$EOF:0123456789012345678901234567890123456789\r\nREDIS0011',
    '$99\r\nREDIS0009',
    '*3\r\n$3\r\nSET\r\n$1\r\ns\r\n',
    '*1\r\n',
  ];
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...starts),
      fc.uint8Array({ maxLength: 200 }),
      fc.constantFrom(...reads),
      async (start, bytes, read) => {
        const reader = new ByteReader(chunked(Buffer.concat([Buffer.from(start), bytes]), [7, 1, 30]));
        await read(reader).catch((error: unknown) => {
          if (!isWherryError(error, 'source_unavailable')) throw error;
        });
      },
    ),
    { numRuns: 2000 },
  );
});

test('unpacking is total', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(100), (packed, length) => {
      const unpacked = unpackLzf(packed, length);
      expect(unpacked === undefined || unpacked.length === length).toBe(true);
    }),
    { numRuns: 5000 },
  );
});

test('what is held of a length that is a lie is nothing', async () => {
  // A text of 4 GiB and a command of a thousand million bytes, of which none come.
  const huge = Buffer.concat([Buffer.from('REDIS0011'), Buffer.from([0, 0x80, 0xff, 0xff, 0xff, 0xff])]);
  await expect(keysOf(huge)).rejects.toMatchObject({ code: 'source_unavailable' });
  const command = new ByteReader(chunked(Buffer.from('*2\r\n$3\r\nSET\r\n$1000000000\r\nx'), [9]));
  await expect(readCommand(command)).rejects.toMatchObject({ code: 'source_unavailable' });
});

async function readAll(generator: AsyncGenerator<unknown, unknown>): Promise<void> {
  while ((await generator.next()).done !== true);
}
