import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDatabase, type Database } from '@wherry/core/control';
import { PATIENT_MS, createTestDatabase, type TestDatabase } from '@wherry/embedded/testing';
import { createClient } from 'redis';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { loadConfig } from '../config/index.ts';
import { prepareDatabases } from '../roles/foundation.ts';
import { run, type Run } from '../testing/recording-terminal.ts';

const prefix = `retire-${randomBytes(4).toString('hex')}:`;
const client = createClient({ url: inject('redisUrl') });
const databases: TestDatabase[] = [];
let control: Database;
let folder: string;
let environment: Record<string, string>;
beforeAll(async () => {
  await client.connect();
  for (let n = 0; n < 2; n++) databases.push(await createTestDatabase(inject('postgresUrl')));
  const [controlUrl = '', shardUrl = ''] = databases.map(({ url }) => url);
  folder = await mkdtemp(join(tmpdir(), 'wherry-retire-'));
  environment = {
    WHERRY_CONTROL_URL: controlUrl,
    WHERRY_SHARDS_URLS: shardUrl,
    WHERRY_MASTER_KEY: randomBytes(32).toString('base64'),
    WHERRY_SOURCE_URL: inject('redisUrl'),
    WHERRY_SOURCE_PREFIX: prefix,
    USER: 'ada',
  };
  await prepareDatabases(loadConfig({ environment }).config);
  control = openDatabase({ url: controlUrl, statementMs: PATIENT_MS });
  for (let n = 0; n < 3; n++)
    await client.set(`${prefix}secret${n}`, '{"cookie":{"originalMaxAge":null},"user":{"id":1}}', {
      expiration: { type: 'EX', value: 3600 },
    });
});
afterAll(async () => {
  await control.end();
  for (const database of databases) await database.drop();
  await rm(folder, { recursive: true });
  client.destroy();
});

const wherry = (line: string): Promise<Run> => run(`migrate ${line}`, environment);

describe('wherry migrate retire', () => {
  it('is refused before the migration has settled, and leaves no archive', async () => {
    expect(await wherry(`retire --archive ${folder}/a`)).toMatchObject({ code: 1, err: expect.stringContaining('no migration') as string });
    await control.query(`INSERT INTO migration (salt, step) VALUES ('', 'verify')`);
    expect(await wherry(`retire --archive ${folder}/a`)).toMatchObject({ code: 1, err: expect.stringContaining('is in verify') as string });
    await expect(stat(join(folder, 'a'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('archives what nobody uses, once, and says so in the audit log', async () => {
    await control.query(`UPDATE migration SET step = 'settled'`);
    await control.query(`UPDATE slot_map SET primary_side = 'target'`);
    const { code, out, err } = await wherry(`retire --archive ${folder}/a --watch 0 --reason done`);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/archived 3 sessions into .*, SHA-256 [0-9a-f]{64}$/);
    expect((await stat(join(folder, 'a'))).mode & 0o777).toBe(0o600);
    expect(await readFile(join(folder, 'a'), 'utf8')).not.toContain('secret');
    const { rows } = await control.query<{ actor: string; action: string; details: object }>(
      `SELECT actor, action, details FROM audit WHERE action LIKE 'source.%' ORDER BY id`,
    );
    expect(rows).toMatchObject([
      { actor: 'ada', action: 'source.retire' },
      { actor: 'ada', action: 'source.archived', details: { sessions: 3, kind: 'redis', keys: 3 } },
    ]);
    expect(await wherry(`retire --archive ${folder}/a --watch 0`)).toMatchObject({
      code: 1,
      err: expect.stringContaining('already') as string,
    });
    expect(await wherry('rollback')).toMatchObject({ code: 1, err: expect.stringContaining('retired') as string });
  });

  it('archives nothing while somebody else uses it', async () => {
    const busy = setInterval(() => void client.get(`${prefix}secret1`), 100);
    const { code, err } = await wherry(`retire --archive ${folder}/b --watch 2`);
    clearInterval(busy);
    expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining('1 of 3 keys were used') as string });
    await expect(stat(join(folder, 'b'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('is taken back by revive', async () => {
    expect(await wherry('revive --reason needed')).toMatchObject({ code: 0 });
    expect(await wherry('rollback')).toMatchObject({ code: 0 });
  });
});
