import { randomBytes } from 'node:crypto';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { carriedSessionKey, expressJsonDecoder, shadowCounts } from '@wherry/sessions';
import { createRedisSource } from '@wherry/sessions/redis';
import { expect, inject, onTestFinished, test } from 'vitest';
import { createMigration } from '../create.ts';
import { VerificationNeeded } from '../switch/verification-needed.ts';
import { TEST_IDENTITY, Workbench } from '../testing/workbench.ts';
import { shadowReads } from './shadow.ts';

/** Longer than anybody waits who does not know of it. */
const READERS_GRACE_MS = 3000;

test('a difference counts although its reader has a longer grace than the migrator', async () => {
  const bench = await Workbench.create(inject('postgresUrl'));
  onTestFinished(() => bench.close());
  const source = createRedisSource({ url: inject('redisUrl'), prefix: `shadow-${randomBytes(4).toString('hex')}:`, timeoutMs: PATIENT_MS });
  onTestFinished(() => source.close());
  const { runtime } = await bench.process('gateway', { shadowGraceMs: READERS_GRACE_MS });
  const reader = bench.carried(runtime, source);
  await reader.save('one', JSON.stringify({ cookie: {}, user: { id: 1, name: 'a', roles: ['x'] } }), 3_600_000);
  const { slot, id } = carriedSessionKey('one');
  for (const { database } of runtime.shards.all)
    await database.query(`UPDATE user_session SET username = 'somebody else' WHERE slot = $1 AND id = $2`, [slot, id]);
  // Its migrator does nothing by itself.
  const { runtime: own } = await bench.process('migrator', { shadowGraceMs: 50 });
  const { context } = await createMigration({
    runtime: own,
    source,
    decode: expressJsonDecoder({ identity: TEST_IDENTITY }),
    writers: 'none',
    signal: new AbortController().signal,
  });
  for (let asked = false; !asked;) {
    let over = false;
    const round = shadowReads(context, 1000)
      .catch((error: unknown) => error)
      .finally(() => (over = true));
    // On a machine that stands still the reader may hear of a round when it is over: the next one then.
    while (!over && !asked) {
      asked = runtime.shadow.wanted;
      if (asked) await reader.read('one');
      else await new Promise((resolve) => setImmediate(resolve));
    }
    const answer = await round;
    if (asked) expect(answer).toBeInstanceOf(VerificationNeeded);
  }
  expect(await shadowCounts(context.control)).toEqual({ compared: 1, different: 1 });
});
