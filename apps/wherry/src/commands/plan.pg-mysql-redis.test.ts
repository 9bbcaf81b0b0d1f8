import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestDatabase } from '@wherry/embedded/testing';
import { columnValue, type MappingFile } from '@wherry/migration';
import { createConnection } from 'mysql2/promise';
import { createClient } from 'redis';
import { expect, inject, onTestFinished, test } from 'vitest';
import { hostileSession } from '../testing/hostile-sessions.ts';
import { run } from '../testing/recording-terminal.ts';

test('MySQL takes the schema that is proposed for it, and the sessions that it was proposed from', async () => {
  const prefix = `p${randomBytes(4).toString('hex')}:`;
  const client = createClient({ url: inject('redisUrl') });
  await client.connect();
  onTestFinished(() => client.destroy());
  const sessions = Array.from({ length: 120 }, (_, n) => hostileSession(n));
  for (const [n, each] of sessions.entries())
    await client.set(`${prefix}s${n}`, JSON.stringify(each), { expiration: { type: 'EX', value: 3600 } });
  const folder = await mkdtemp(join(tmpdir(), 'wherry-plan-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  expect(await run(`migrate plan --source ${inject('redisUrl')} --prefix ${prefix} --out ${folder}`)).toMatchObject({ code: 0, err: '' });
  const { columns } = JSON.parse(await readFile(join(folder, 'mapping.json'), 'utf8')) as MappingFile;

  const home = await createTestDatabase(inject('mysqlUrl'));
  onTestFinished(() => home.drop());
  const database = await createConnection({ uri: home.url, multipleStatements: true });
  onTestFinished(() => database.end());
  await database.query(await readFile(join(folder, 'schema.mysql.sql'), 'utf8'));
  const names = columns.map(({ column }) => `\`${column}\``);
  for (const [n, each] of sessions.entries()) {
    const values = columns.map(({ path, type }) =>
      columnValue({ path, type: type === 'text' ? { is: type, length: 1024 } : { is: type } }, each),
    );
    await database.execute(
      `INSERT INTO user_session (slot, id, session_id, username, authorities, create_time, last_access_time, user_generation, attributes, epoch, version, touch_version, ${names.join(', ')})
       VALUES (1, ?, ?, ?, '[]', 0, 0, 0, ?, 0, 0, 0, ${names.map(() => '?').join(', ')})`,
      [n, Buffer.from(`digest ${n}`), `ada-${n}`, JSON.stringify(each), ...values],
    );
  }
  const [rows] = await database.query(
    'SELECT count(*) AS n, max(ratio) AS ratio, min(signed_in_at) AS first FROM user_session WHERE trial',
  );
  expect(rows).toEqual([{ n: 60, ratio: 118 / 7, first: 1_700_000_000_000 }]);
  const [kept] = await database.query('SELECT attributes FROM user_session WHERE id = 7');
  expect(kept).toEqual([{ attributes: JSON.stringify(sessions[7]) }]);
});
