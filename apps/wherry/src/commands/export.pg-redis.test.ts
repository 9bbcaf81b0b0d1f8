import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Lifecycle, silentLogger } from '@wherry/core';
import { openDatabase } from '@wherry/core/control';
import { createTestDatabase } from '@wherry/embedded/testing';
import { changeMigration } from '@wherry/migration';
import { carriedSessionKey } from '@wherry/sessions';
import { createClient } from 'redis';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { loadConfig } from '../config/index.ts';
import { prepareDatabases } from '../roles/foundation.ts';
import { addMigratorRole } from '../roles/migrator.ts';
import { run } from '../testing/recording-terminal.ts';
import type { DumpVerdict } from '../verify-dump/verify-dumps.ts';

const SESSIONS = 60;
const prefix = `x${randomBytes(4).toString('hex')}:`;
const client = createClient({ url: inject('redisUrl') });
const databases: { url: string; drop(): Promise<void> }[] = [];
let folder: string;
let environment: Record<string, string>;

beforeAll(async () => {
  await client.connect();
  folder = await mkdtemp(join(tmpdir(), 'wherry-export-'));
  for (let n = 0; n < 3; n++) databases.push(await createTestDatabase(inject('postgresUrl')));
  const [control, ...shards] = databases.map(({ url }) => url);
  environment = {
    WHERRY_CONTROL_URL: control ?? '',
    WHERRY_SHARDS_URLS: shards.join(','),
    WHERRY_MASTER_KEY: randomBytes(32).toString('base64'),
    WHERRY_SOURCE_URL: inject('redisUrl'),
    WHERRY_SOURCE_PREFIX: prefix,
    WHERRY_MIGRATOR_PORT: '0',
  };
});
afterAll(async () => {
  client.destroy();
  for (const database of databases) await database.drop();
  await rm(folder, { recursive: true });
});

const value = (n: number, more: object = {}): string =>
  JSON.stringify({ cookie: { originalMaxAge: 3_600_000 }, user: { id: `u${n}`, name: `ada${n}`, roles: ['user'] }, ...more });
const put = (n: number, text: string, seconds = 3600): Promise<unknown> =>
  client.set(`${prefix}sid-${n}`, text, { expiration: { type: 'EX', value: seconds } });

async function migrate(): Promise<void> {
  const { config } = loadConfig({ environment });
  await prepareDatabases(config);
  const control = openDatabase({ url: databases[0]?.url ?? '' });
  await changeMigration(control, { goal: 'target', goalPercent: 30 }, { actor: 'test' });
  await control.end();
  const lifecycle = new Lifecycle({ log: silentLogger });
  const service = await addMigratorRole(lifecycle, config, silentLogger, { writers: 'none', shadowMs: 200 });
  await lifecycle.run();
  try {
    await service.migration.migrator.atGoal();
  } finally {
    await lifecycle.end();
  }
}

let exported = 0;
async function verdict(): Promise<DumpVerdict> {
  const files = ['source', 'target'].map((side) => join(folder, `${side}-${++exported}`));
  for (const [at, side] of ['source', 'target'].entries())
    expect(await run(`migrate export --side ${side} --out ${files[at]}`, environment)).toMatchObject({ code: 0, err: '' });
  return JSON.parse((await run(`verify-dump ${files.join(' ')} --json --sample 50`)).out) as DumpVerdict;
}

/** Runs a statement on the shard that has the session. */
async function strike(n: number, sql: string, more: readonly unknown[] = []): Promise<void> {
  const { id } = carriedSessionKey(`sid-${n}`);
  let rows = 0;
  for (const { url } of databases.slice(1)) {
    const shard = openDatabase({ url });
    rows += (await shard.query(sql, [id.toString(), ...more])).rowCount ?? 0;
    await shard.end();
  }
  expect(rows).toBe(1);
}

test('both sides of a migrated system export the same, and differences that are made are found, each under its class', async () => {
  for (let n = 0; n < SESSIONS; n++) await put(n, value(n));
  await migrate();
  expect(await verdict()).toMatchObject({ equal: true, sides: ['source', 'target'], compared: SESSIONS, same: SESSIONS, samples: [] });

  // No id of a session, and no content beyond whose it is, leaves the system.
  const file = join(folder, `target-${exported}`);
  const text = await readFile(file, 'utf8');
  expect(text).not.toMatch(/sid-\d|originalMaxAge/);
  expect((await stat(file)).mode & 0o777).toBe(0o600);

  await strike(0, 'DELETE FROM user_session WHERE id = $1');
  await client.del(`${prefix}sid-1`);
  await strike(2, 'UPDATE user_session SET authorities = $2 WHERE id = $1', ['["user","admin"]']);
  await strike(3, 'UPDATE user_session SET user_id = $2 WHERE id = $1', ['u999']);
  await strike(4, 'UPDATE user_session SET expire_time = expire_time + 5000 WHERE id = $1');
  await strike(5, 'UPDATE user_session SET deleted_at = 1, attributes = NULL WHERE id = $1');
  await put(6, 'no session at all');
  await put(7, value(7), 1);
  await strike(7, 'DELETE FROM user_session WHERE id = $1');
  await strike(8, 'UPDATE user_session SET expire_time = expire_time + 400 WHERE id = $1');
  const { equal, counts, samples } = await verdict();
  expect(equal).toBe(false);
  // Session 7 has run out by now, or does so while the second side is read.
  expect({ ...counts, expired_in_flight: 0 }).toEqual({
    missing: 1,
    extra: 1,
    differs: 3,
    ended_here_alive_there: 1,
    expired_in_flight: 0,
    not_carried: 1,
  });
  const named = new Map(samples.map(({ id, detail }) => [id, detail]));
  const detail = (n: number): string | undefined => named.get(carriedSessionKey(`sid-${n}`).digest.toString('hex').slice(0, 16));
  expect([0, 1, 2, 3, 4, 5, 6, 8].map(detail)).toEqual([
    'not in the second',
    'not in the first',
    'authorities',
    'user',
    'expiry',
    'ended in the second, alive in the first',
    'cannot be decoded',
    undefined,
  ]);
});

test('a dry run of the repairs says what each would do and changes nothing; then they are done', async () => {
  const control = openDatabase({ url: databases[0]?.url ?? '' });
  try {
    // As failed second writes leave them: with the id sealed as the rows of the target have it.
    const entries = [10, 11, 12, 13];
    await put(11, value(11, { cart: ['bread'] }));
    await client.del(`${prefix}sid-12`);
    for (const n of entries) {
      const { slot, id } = carriedSessionKey(`sid-${n}`);
      let ref: Buffer | undefined;
      for (const { url } of databases.slice(1)) {
        const shard = openDatabase({ url });
        const { rows } = await shard.query<{ source_ref: Buffer }>('SELECT source_ref FROM user_session WHERE id = $1', [id]);
        ref ??= rows[0]?.source_ref;
        await shard.end();
      }
      await control.query("INSERT INTO repair_entry (slot, id, source_ref, cause) VALUES ($1, $2, $3, 'target_write')", [slot, id, ref]);
    }
    await strike(13, 'UPDATE user_session SET deleted_at = 1, attributes = NULL WHERE id = $1');
    const { rows: sides } = await control.query<{ slot: number; side: string }>('SELECT slot, primary_side AS side FROM slot_map');
    const side = (n: number): string | undefined => sides.find(({ slot }) => slot === carriedSessionKey(`sid-${n}`).slot)?.side;
    const expected = new Map([
      [10, 'nothing'],
      [11, side(11) === 'source' ? 'write_target' : 'write_source'],
      [12, side(12) === 'source' ? 'end_both' : 'write_source'],
      [13, 'end_source'],
    ]);
    const dryRun = async (): Promise<Map<string, string>> => {
      const { out, code } = await run('migrate repair --dry-run --json', environment);
      expect(code).toBe(0);
      return new Map((JSON.parse(out) as { id: string; action: string }[]).map(({ id, action }) => [id, action]));
    };
    const actions = new Map(entries.map((n) => [carriedSessionKey(`sid-${n}`).id.toString(), expected.get(n)]));
    expect(await dryRun()).toEqual(actions);
    expect(await dryRun()).toEqual(actions);
    expect((await control.query('SELECT 1 FROM repair_entry')).rowCount).toBe(4);
    expect(await run('migrate repair', environment)).toMatchObject({ code: 0, out: '4 repaired, 0 left' });
    expect(await run('migrate repair --dry-run', environment)).toMatchObject({ out: 'nothing waits for a repair' });
    const { samples } = await verdict();
    const left = samples.map(({ id }) => id);
    // Where the target is primary, what was written past everybody has the version that the source knows, and it stays.
    const mended = entries.filter((n) => n !== 11 || side(n) === 'source');
    for (const n of mended) expect(left).not.toContain(carriedSessionKey(`sid-${n}`).digest.toString('hex').slice(0, 16));
  } finally {
    await control.end();
  }
});

test('an export goes over nothing that is there', async () => {
  const file = join(folder, 'here');
  expect(await run(`migrate export --side source --out ${file}`, environment)).toMatchObject({ code: 0 });
  expect(await run(`migrate export --side source --out ${file}`, environment)).toMatchObject({
    code: 2,
    err: expect.stringContaining('which is there already') as string,
  });
});
