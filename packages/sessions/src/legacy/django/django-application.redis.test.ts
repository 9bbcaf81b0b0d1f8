import { execFile, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { createClient } from 'redis';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { createRedisSource } from '../../redis/source.ts';
import type { SourceStore } from '../../source/contract.ts';
import { present, read } from '../../testing/source-fixture.ts';
import { djangoCacheDecoder } from './django-session.ts';

const APPLICATION = fileURLToPath(new URL('../../../fixtures/django/session.py', import.meta.url));
/** A python that has Django; `WHERRY_TEST_DJANGO_PYTHON` names one in an environment of its own. */
const PYTHON = process.env['WHERRY_TEST_DJANGO_PYTHON'] ?? 'python3';
/** The data that Django wrote once is decoded in any case; this needs Django itself. */
const hasDjango = spawnSync(PYTHON, ['-c', 'import django, redis']).status === 0;
if (!hasDjango) process.stderr.write('\n*** no python3 with django and redis: the tests with Django itself are LEFT OUT ***\n');

interface Answer {
  readonly id: string;
  readonly session: Record<string, unknown>;
}

/** One request to the application, which is a process of its own. */
function request(body: object): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const child = execFile(PYTHON, [APPLICATION], (error, stdout) =>
      error === null ? resolve(JSON.parse(stdout) as Answer) : reject(error),
    );
    child.stdin?.end(`${JSON.stringify(body)}\n`);
  });
}

describe.skipIf(!hasDjango)('Django itself, sessions in its cache on Redis', () => {
  const own = randomBytes(6).toString('hex');
  const prefix = `${own}:1:django.contrib.sessions.cache`;
  const decode = djangoCacheDecoder({ identity: { userId: '_auth_user_id' } });
  const connect = (url: string) => createClient({ url }).connect();
  let client: Awaited<ReturnType<typeof connect>>;
  let source: SourceStore;
  beforeAll(async () => {
    client = await connect(inject('redisUrl'));
    source = createRedisSource({ client, prefix, bytes: true, timeoutMs: PATIENT_MS });
  });
  afterAll(() => client.close());

  test('read here, ended here, given back to Django', async () => {
    const ask = { redis: inject('redisUrl'), prefix: own, id: null };
    const user = { _auth_user_id: '42', name: 'Zoë' };
    const begun = await request({ ...ask, set: user });
    const found = present(await read(source, begun.id));
    expect(decode(found.value)).toMatchObject({ ok: true, session: { userId: '42' } });
    // Two weeks, as Django has it.
    expect(found.expireTime! - found.readAt).toBeGreaterThan(13 * 86_400_000);

    // As a reverse write does: the same text, at the end of another life.
    await client.del(prefix + begun.id);
    expect((await request({ ...ask, id: begun.id })).session).toEqual({});
    await source.put(begun.id, found.value, found.expireTime, { epoch: 3, n: 1 });
    expect((await request({ ...ask, id: begun.id })).session).toEqual(user);

    // Django goes on with it, and what it writes is read again.
    await request({ ...ask, id: begun.id, set: { _auth_user_id: '43' } });
    expect(decode(present(await read(source, begun.id)).value)).toMatchObject({ session: { userId: '43' } });
    await source.end(begun.id, 60_000, 3);
    expect((await request({ ...ask, id: begun.id })).session).toEqual({});
  });
});
