import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres } from '@wherry/embedded';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { carriedSessionKey } from '@wherry/sessions';
import { createRedisSource } from '@wherry/sessions/redis';
import { createClient } from 'redis';
import { expect, inject, onTestFinished, test } from 'vitest';
import { changeMigration } from '../journal/state.ts';
import { Workbench } from '../testing/workbench.ts';

const SESSIONS = 300;
const MIB = 1024 * 1024;

/** A small file system of its own, or undefined where this process may not mount one. */
function smallDisk(mib: number): string | undefined {
  // Who runs the shard must reach it, so it lies beside its data.
  const folder = mkdtempSync(join(tmpdir(), 'wherry-disk-'));
  const { status } = spawnSync('/bin/mount', ['-t', 'tmpfs', '-o', `size=${mib}m`, 'tmpfs', folder]);
  onTestFinished(() => {
    if (status === 0) spawnSync('/bin/umount', ['-l', folder]);
    rmSync(folder, { recursive: true, force: true });
  });
  return status === 0 ? folder : undefined;
}

test('a shard whose disk is full is waited for, and no session is given up or lost', async ({ skip }) => {
  const disk = smallDisk(24);
  if (disk === undefined) {
    process.stderr.write('LEFT OUT: a full disk, because this process may not mount a small file system\n');
    skip('no small file system can be mounted');
    return;
  }
  const server = await startPostgres({ databases: ['postgres'] });
  onTestFinished(() => server.stop());
  const { uid, gid } = statSync(server.folder);
  chownSync(disk, uid, gid);
  const bench = await Workbench.create(inject('postgresUrl'), [server.url('postgres')]);
  onTestFinished(() => bench.close());
  const shard = bench.database(bench.shardUrls[0] ?? '');
  await shard.query(`CREATE TABLESPACE small LOCATION '${disk}'`);
  await shard.query('ALTER TABLE user_session SET TABLESPACE small');
  const ballast = join(disk, 'ballast');
  writeFileSync(ballast, Buffer.alloc(23 * MIB));
  const client = await createClient({ url: inject('redisUrl') }).connect();
  onTestFinished(() => client.destroy());
  const prefix = `disk-${randomBytes(4).toString('hex')}:`;
  const more = randomBytes(6000).toString('base64');
  for (let n = 0; n < SESSIONS; n++) {
    const value = JSON.stringify({ cookie: { originalMaxAge: 3_600_000 }, user: { id: n, name: `user${n}`, roles: [] }, more });
    await client.set(`${prefix}s${n}`, value, { expiration: { type: 'EX', value: 3600 } });
  }
  const notes: string[] = [];
  const running = await bench.migrator(createRedisSource({ client, prefix, timeoutMs: PATIENT_MS }), {
    batchSize: 50,
    progress: { progress: () => undefined, note: (text) => notes.push(text) },
  });
  await changeMigration(running.context.control, { goalPercent: 0 }, { actor: 'test' });
  await expect.poll(() => notes.some((note) => note.startsWith('waiting')), { timeout: PATIENT_MS }).toBe(true);
  const { rows } = await shard.query<{ count: bigint }>('SELECT count(*) FROM user_session');
  expect(Number(rows[0]?.count)).toBeLessThan(SESSIONS);
  rmSync(ballast);
  await running.migrator.atGoal();
  const found = await running.context.target.getMany(Array.from({ length: SESSIONS }, (_, n) => carriedSessionKey(`s${n}`)));
  expect(found.every(({ state }) => state === 'live')).toBe(true);
  const { rows: letters } = await running.context.control.query('SELECT FROM dead_letter');
  expect(letters).toHaveLength(0);
  await running.end();
});
