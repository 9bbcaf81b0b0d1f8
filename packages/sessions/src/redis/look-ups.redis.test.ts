import { randomBytes } from 'node:crypto';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { SourceLives } from '../source/lives.ts';
import { isSourceChanged } from '../source/lives.ts';
import type { SourceStore } from '../source/contract.ts';
import { createRedisSource } from './source.ts';

const HOUR = 3_600_000;
let source: SourceStore;
let lives: SourceLives;
let current: readonly string[];
beforeAll(async () => {
  source = createRedisSource({ url: inject('redisUrl'), prefix: `l${randomBytes(6).toString('hex')}:`, timeoutMs: PATIENT_MS });
  if (source.lives === undefined) throw new Error('Redis has lives');
  lives = source.lives;
  current = await lives.current();
  lives.accept(current);
});
afterAll(() => source.close());

test('of many look-ups made at once each is answered its own session', async () => {
  const ids = Array.from({ length: 250 }, (_, n) => `id${n}`);
  for (const [n, id] of ids.entries()) {
    if (n % 3 === 0) await source.save(id, `value ${n}`, HOUR, 1);
    if (n % 3 === 1) await source.end(id, HOUR, 1);
  }
  const found = await Promise.all(ids.map((id) => source.get([id])));
  expect(found).toHaveLength(ids.length);
  for (const [n, sessions] of found.entries()) {
    expect(sessions).toHaveLength(1);
    const [session] = sessions;
    if (n % 3 === 2) expect(session).toBeUndefined();
    else expect(session).toMatchObject({ rawId: ids[n], ended: n % 3 === 1, value: n % 3 === 0 ? `value ${n}` : '' });
  }
  // The same one asked for twice in a turn is answered twice.
  const twice = await Promise.all([source.get(['id0']), source.get(['id0'])]);
  expect(twice.map(([session]) => session?.value)).toEqual(['value 0', 'value 0']);
});

test('a look-up stays bound to the lives that were accepted when it was made, whatever is accepted before it is sent', async () => {
  await source.save('bound', 'here', HOUR, 1);
  lives.accept(['0'.repeat(40)]);
  const before = source.get(['bound']).then(
    () => 'answered',
    (error: unknown) => (isSourceChanged(error) ? 'changed' : error),
  );
  lives.accept(current);
  const after = source.get(['bound']);
  expect(await before).toBe('changed');
  expect((await after)[0]?.value).toBe('here');
});

test.each([0, 39, 41])('no part of a life stands for it, nor more than it: %i characters', async (length) => {
  const [life = ''] = current;
  lives.accept([`${life}0`.slice(0, length)]);
  const refused = await source.get(['bound']).then(
    () => false,
    (error: unknown) => isSourceChanged(error),
  );
  lives.accept(current);
  // No life at all is how the scripts are told that any will do, and never comes from a server.
  expect(refused).toBe(length > 0);
});
