import { execFile, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { createClient } from 'redis';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { createRedisSource } from '../../redis/source.ts';
import type { SourceStore } from '../../source/contract.ts';
import { present, read } from '../../testing/source-fixture.ts';
import { phpSessionDecoder, type PhpHandler } from './php-session.ts';

const APPLICATION = fileURLToPath(new URL('../../../fixtures/php/session.php', import.meta.url));
const identity = { userId: 'user.id', username: 'user.name', authorities: ['user.roles'] };
/** `WHERRY_TEST_PHP` names another one. */
const PHP = process.env['WHERRY_TEST_PHP'] ?? 'php';
/** The data that PHP wrote once is decoded in any case; this needs PHP itself. */
const hasPhp = spawnSync(PHP, ['-r', 'exit(extension_loaded("redis") ? 0 : 1);']).status === 0;
if (!hasPhp) process.stderr.write('\n*** no php with its extension redis on the PATH: the tests with PHP itself are LEFT OUT ***\n');

interface Answer {
  readonly id: string;
  readonly session: Record<string, unknown>;
}

/** One request to the application, which is a process of its own. */
function request(body: object): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const child = execFile(PHP, [APPLICATION], (error, stdout) => (error === null ? resolve(JSON.parse(stdout) as Answer) : reject(error)));
    child.stdin?.end(`${JSON.stringify(body)}\n`);
  });
}

describe.skipIf(!hasPhp)('PHP itself, with phpredis', () => {
  const prefix = `${randomBytes(6).toString('hex')}:`;
  const connect = (url: string) => createClient({ url }).connect();
  let client: Awaited<ReturnType<typeof connect>>;
  let source: SourceStore;
  let redis: string;
  beforeAll(async () => {
    const url = new URL(inject('redisUrl'));
    client = await connect(url.href);
    source = createRedisSource({ client, prefix, bytes: true, timeoutMs: PATIENT_MS });
    redis = `tcp://${url.host}`;
  });
  afterAll(() => client.close());

  test.each<PhpHandler>(['php', 'php_serialize', 'php_binary'])('by %s: read here, ended here, given back to PHP', async (handler) => {
    const decode = phpSessionDecoder(handler, { identity });
    const ask = { redis, prefix, handler, id: null };
    const user = { id: 42, name: 'Zoë', roles: ['ROLE_USER'] };
    const begun = await request({ ...ask, set: { user, text: 'a|b;"' } });
    const found = present(await read(source, begun.id));
    expect(decode(found.value)).toMatchObject({ ok: true, session: { userId: '42', username: 'Zoë', authorities: ['ROLE_USER'] } });
    expect(found.expireTime! - found.readAt).toBeGreaterThan(3_000_000);

    // As a reverse write does: the same text, at the end of another life.
    await client.del(prefix + begun.id);
    expect((await request({ ...ask, id: begun.id })).session).toEqual([]);
    await source.put(begun.id, found.value, found.expireTime, { epoch: 3, n: 1 });
    expect((await request({ ...ask, id: begun.id })).session).toEqual({ user, text: 'a|b;"' });

    // PHP goes on with it, and what it writes is read again.
    await request({ ...ask, id: begun.id, set: { user: { ...user, roles: ['ROLE_ADMIN'] } } });
    expect(decode(present(await read(source, begun.id)).value)).toMatchObject({ session: { authorities: ['ROLE_ADMIN'] } });

    await source.end(begun.id, 60_000, 3);
    expect((await request({ ...ask, id: begun.id })).session).toEqual([]);
  });
});
