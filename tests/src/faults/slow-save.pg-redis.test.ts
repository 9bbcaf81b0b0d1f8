import { randomBytes } from 'node:crypto';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { Workbench } from '@wherry/migration/testing';
import { createRedisSource } from '@wherry/sessions/redis';
import { expect, inject, test } from 'vitest';
import { startProcess } from '../support/test-process.ts';
import { Hold } from './hold.ts';
import { LIFE_MS, sessionValue } from './session-value.ts';

// The application that knows nothing of a migration asks neither termination records nor the target: only the tombstone
// at the source keeps the session from it, in the moment in which the target has none yet.
test('a save that was under way while its session was ended does not bring it back at the source', async () => {
  const bench = await Workbench.create(inject('postgresUrl'));
  const source = createRedisSource({ url: inject('redisUrl'), prefix: `fault-${randomBytes(4).toString('hex')}:`, timeoutMs: PATIENT_MS });
  const slow = await startProcess({ bench, role: 'writer' });
  const other = await startProcess({ bench, role: 'writer' });
  const entered = new Hold('save.entered');
  const removed = new Hold('end.source-removed');
  try {
    const sessions = slow.carried(source, entered.at);
    await source.save('a', sessionValue(1, 0), LIFE_MS, 1);
    const saving = sessions.save('a', sessionValue(1, 1), LIFE_MS);
    await entered.reached;
    const ending = other.carried(source, removed.at).end('a', 'logout');
    await removed.reached;
    entered.release();
    expect(await saving).toBe('ended');
    expect((await source.get(['a']))[0]).toMatchObject({ ended: true });
    removed.release();
    await ending;
    expect(await sessions.read('a')).toEqual({ state: 'ended' });
  } finally {
    entered.release();
    removed.release();
    await slow.leave();
    await other.leave();
    await bench.close();
    await source.close();
  }
});
