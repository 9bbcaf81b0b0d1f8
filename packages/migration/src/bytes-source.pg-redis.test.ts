import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { RESP_TYPES, createClient } from 'redis';
import { afterAll, beforeAll, expect, inject, onTestFinished, test } from 'vitest';
import { SESSION_FORMATS, carriedSessionKey, undecidedDeadLetters, type SessionFormat } from '@wherry/sessions';
import { createRedisSource } from '@wherry/sessions/redis';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { changeMigration } from './journal/state.ts';
import { verifyUntilEqual } from './steps.ts';
import { Workbench } from './testing/workbench.ts';

const HOUR_S = 3600;
const connect = (url: string) => createClient({ url }).connect();
let client: Awaited<ReturnType<typeof connect>>;
beforeAll(async () => {
  client = await connect(inject('redisUrl'));
});
afterAll(async () => {
  await client.close();
});

interface Written {
  readonly handler?: string;
  readonly base64: string;
}

/** What the software itself wrote. */
function written(software: string, choose: (each: Written) => boolean): readonly Buffer[] {
  const file = new URL(`../../sessions/fixtures/${software}/sessions.json`, import.meta.url);
  const { sessions } = JSON.parse(readFileSync(file, 'utf8')) as { readonly sessions: readonly Written[] };
  return sessions.filter(choose).map(({ base64 }) => Buffer.from(base64, 'base64'));
}

function formatOf(name: string): SessionFormat {
  const format = SESSION_FORMATS.find((each) => each.name === name);
  if (format === undefined) throw new Error('no such format');
  return format;
}

test('sessions of PHP go to the shards and back, to the byte', async () => {
  const values = written('php', ({ handler }) => handler === 'php');
  const format = formatOf('php');
  const bench = await Workbench.create(inject('postgresUrl'));
  onTestFinished(() => bench.close());
  const prefix = `${randomBytes(6).toString('hex')}:`;
  const stored = values.map((bytes, n) => ({ rawId: `${n}${randomBytes(12).toString('hex')}`, bytes }));
  for (const { rawId, bytes } of stored) await client.set(prefix + rawId, bytes, { expiration: { type: 'EX', value: HOUR_S } });

  const { canary = '' } = format;
  const source = createRedisSource({ client, prefix, bytes: true, canary, timeoutMs: PATIENT_MS });
  const decode = format.decoder({ identity: { userId: 'user.id' } });
  const { migrator, context, end } = await bench.migrator(source, { decode });
  try {
    // All the way: the canary is sent before the first slot switches.
    await changeMigration(context.control, { goalPercent: 100 }, { actor: 'test' });
    await migrator.atGoal();
    expect(await undecidedDeadLetters(context.control)).toBe(0);
    for (const { rawId } of stored) {
      const { slot, id } = carriedSessionKey(rawId);
      expect(await context.target.getById(slot, id)).toMatchObject({ state: 'live' });
    }

    // The source forgets half of them, as one that lost its newest writes; the way back brings them as they were.
    for (const { rawId } of stored.filter((_, n) => n % 2 === 0)) await client.del(prefix + rawId);
    await verifyUntilEqual(context);
    const bytesClient = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
    for (const { rawId, bytes } of stored) expect(await bytesClient.get(prefix + rawId)).toEqual(bytes);
  } finally {
    await end();
  }
});
