import { randomBytes } from 'node:crypto';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { createRedisSource } from '@wherry/sessions/redis';
import { createClient } from 'redis';
import { expect, inject, onTestFinished, test } from 'vitest';
import { changeMigration } from '../journal/state.ts';
import { slicedSource } from '../testing/sliced-source.ts';
import { Workbench } from '../testing/workbench.ts';

/** One whose rows are on their way, one behind it, and one that is being read. */
const PAGES = 3;
const BATCH = 10;

test('however slow the shards are, no more than three pages are in memory', async () => {
  const bench = await Workbench.create(inject('postgresUrl'));
  onTestFinished(() => bench.close());
  const prefix = `pages-${randomBytes(4).toString('hex')}:`;
  const options = { url: inject('redisUrl'), prefix, timeoutMs: PATIENT_MS };
  const client = await createClient({ url: options.url }).connect();
  onTestFinished(() => client.close());
  for (let n = 0; n < 300; n++) {
    const value = JSON.stringify({ cookie: {}, user: { id: n, name: 'ada', roles: [] } });
    await client.set(`${prefix}a${n}`, value, { expiration: { type: 'EX', value: 3600 } });
  }
  const sliced = slicedSource(options, ['a']);
  const plain = createRedisSource(options);
  onTestFinished(() => plain.close());
  let read = 0;
  let kept = 0;
  let most = 0;
  // A comparison follows, which reads too.
  let copying = true;
  const source = {
    ...sliced,
    scan: async (...args: Parameters<typeof sliced.scan>): ReturnType<typeof sliced.scan> => {
      // The plan has taken a sample before.
      if (args[2] > BATCH) return sliced.scan(...args);
      read++;
      if (copying) most = Math.max(most, read - kept);
      try {
        return await sliced.scan(...args);
      } catch (error) {
        // It will be asked for again.
        read--;
        throw error;
      }
    },
  };
  const running = await bench.migrator(source, {
    batchSize: BATCH,
    at: async (point) => {
      // Whoever read on without waiting could do so meanwhile.
      if (point === 'copy.page-written') for (let n = 0; n < 10; n++) await plain.now();
      if (point === 'copy.checkpoint') kept++;
      if (point === 'copy.partition-done') copying = false;
    },
  });
  await changeMigration(running.context.control, { goalPercent: 0 }, { actor: 'test' });
  await running.migrator.atGoal();
  expect(kept).toBeGreaterThan(PAGES * 2);
  expect(most).toBeLessThanOrEqual(PAGES);
});
