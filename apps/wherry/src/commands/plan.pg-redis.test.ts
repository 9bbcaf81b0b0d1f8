import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDatabase } from '@wherry/core/control';
import { createTestDatabase } from '@wherry/embedded/testing';
import { columnValue, type MappingFile } from '@wherry/migration';
import { createClient } from 'redis';
import { afterAll, beforeAll, expect, inject, onTestFinished, test } from 'vitest';
import { hostileSession } from '../testing/hostile-sessions.ts';
import { run, type Run } from '../testing/recording-terminal.ts';

const client = createClient({ url: inject('redisUrl') });
beforeAll(() => client.connect());
afterAll(() => client.destroy());

async function planned(prefix: string, words = ''): Promise<{ result: Run; file: (name: string) => Promise<string> }> {
  const folder = await mkdtemp(join(tmpdir(), 'wherry-plan-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const result = await run(`migrate plan --source ${inject('redisUrl')} --prefix ${prefix} --out ${folder}${words}`);
  return { result, file: (name) => readFile(join(folder, name), 'utf8') };
}

test('names the format, proposes schema and mapping, and PostgreSQL takes both the schema and the sessions', async () => {
  const prefix = `p${randomBytes(4).toString('hex')}:`;
  const sessions = Array.from({ length: 200 }, (_, n) => hostileSession(n));
  for (const [n, each] of sessions.entries())
    await client.set(`${prefix}s${n}`, JSON.stringify(each), { expiration: { type: 'EX', value: 3600 } });
  const { result, file } = await planned(prefix);
  expect(result).toMatchObject({ code: 0, err: '' });
  expect(result.out).toMatch(/^format +connect-redis$/m);
  expect(result.out).toMatch(/^sessions +200$/m);
  expect(result.out).toMatch(/up to 1 h +█+ 200$/m);
  expect(result.out).toContain('shards: 2');

  const mapping = JSON.parse(await file('mapping.json')) as MappingFile;
  expect(mapping.source).toEqual({
    format: 'connect-redis',
    identity: { userId: 'user.id', username: 'user.name', authorities: ['user.roles'] },
  });
  const types = new Map(mapping.columns.map(({ column, type }) => [column, type]));
  expect(Object.fromEntries(types)).toMatchObject({
    tenant_id: 'text',
    plan: 'text',
    signed_in_at: 'instant',
    visits: 'integer',
    ratio: 'decimal',
    trial: 'boolean',
    device: 'uuid',
    select: 'text',
    select_2: 'text',
    id_2: 'text',
    xmin_2: 'text',
  });
  expect(types.has('csrf_token')).toBe(false);

  const home = await createTestDatabase(inject('postgresUrl'));
  onTestFinished(() => home.drop());
  const database = openDatabase({ url: home.url });
  onTestFinished(() => database.end());
  await database.query(await file('schema.postgresql.sql'));
  const extra = mapping.columns.map(({ column }) => `"${column}"`);
  for (const [n, each] of sessions.entries()) {
    const values = mapping.columns.map(({ path, type }) =>
      columnValue({ path, type: type === 'text' ? { is: type, length: 1024 } : { is: type } }, each),
    );
    expect(values).not.toContain(null);
    await database.query(
      `INSERT INTO user_session (slot, id, session_id, username, authorities, create_time, last_access_time, user_generation, attributes, epoch, version, touch_version, ${extra.join(', ')})
       VALUES (1, $1, $2, $3, '[]', 0, 0, 0, $4, 0, 0, 0, ${extra.map((_, i) => `$${i + 5}`).join(', ')})`,
      [n, Buffer.from(`digest ${n}`), `ada-${n}`, JSON.stringify(each), ...values],
    );
  }
  const { rows } = await database.query<{ n: bigint; indexes: bigint }>(
    "SELECT count(*) AS n, (SELECT count(*) FROM pg_indexes WHERE tablename = 'user_session') AS indexes FROM user_session WHERE tenant_id = 'tenant-7'",
  );
  expect(rows).toEqual([{ n: 4n, indexes: 7n }]);
});

interface GoldenKey {
  readonly life: number;
  readonly fields?: Readonly<Record<string, string>>;
  readonly members?: readonly string[];
  readonly text?: string;
}
const bytes = (base64: string): Buffer => Buffer.from(base64, 'base64');
const golden = (path: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../../../packages/sessions/fixtures/${path}`, import.meta.url), 'utf8'));
/** What the software itself wrote, under its own keys. */
async function restorePhp(own: typeof client, handler: string): Promise<void> {
  const { sessions } = golden('php/sessions.json') as { sessions: { handler: string; session: string; base64: string }[] };
  for (const { session, base64 } of sessions.filter((each) => each.handler === handler && each.base64 !== ''))
    await own.set(`PHPREDIS_SESSION:${session}`, bytes(base64), { expiration: { type: 'EX', value: 600 } });
}
async function restoreSpring(own: typeof client, name: string): Promise<void> {
  for (const [key, { life, fields, members, text }] of Object.entries(golden(`spring/golden/${name}.json`) as Record<string, GoldenKey>)) {
    if (fields !== undefined) {
      for (const [field, value] of Object.entries(fields)) await own.hSet(key, field, bytes(value));
      // As if it had been used just now.
      await own.hSet(key, 'lastAccessedTime', String(Date.now()));
    } else if (members !== undefined) await own.sAdd(key, members.map(bytes));
    else await own.set(key, bytes(text ?? ''));
    if (life > 0) await own.pExpire(key, life);
  }
}

test.each([
  { layout: 'spring-redis', restore: (own: typeof client) => restoreSpring(own, 'plain-json') },
  { layout: 'spring-redis-indexed', restore: (own: typeof client) => restoreSpring(own, 'indexed-json') },
  { layout: 'php', restore: (own: typeof client) => restorePhp(own, 'php') },
])('finds out that the sessions are those of $layout', async ({ layout, restore }) => {
  const url = new URL(inject('redisUrl'));
  url.pathname = '/14';
  const own = createClient({ url: url.href });
  await own.connect();
  try {
    await own.flushDb();
    await restore(own);
    const folder = await mkdtemp(join(tmpdir(), 'wherry-plan-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const { code, err, out } = await run(`migrate plan --source ${url.href} --out ${folder}`);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(new RegExp(`^format +${layout}$`, 'm'));
    expect((JSON.parse(await readFile(join(folder, 'mapping.json'), 'utf8')) as MappingFile).source.format).toBe(layout);
  } finally {
    await own.flushDb();
    own.destroy();
  }
});

test('no value and no name that is data gets out; names that could act are harmless in all files', async () => {
  const prefix = `p${randomBytes(4).toString('hex')}:`;
  const sessions = Array.from({ length: 40 }, (_, n) => hostileSession(n));
  for (const [n, each] of sessions.entries())
    await client.set(`${prefix}raw-id-${n}`, JSON.stringify(each), { expiration: { type: 'EX', value: 3600 } });
  const { result, file } = await planned(prefix);
  const html = await file('report.html');
  const sql = `${await file('schema.postgresql.sql')}${await file('schema.mysql.sql')}`;
  const all = `${result.out}${html}${sql}`;
  for (const value of [
    'ada-1',
    'tenant-1',
    'carat',
    'grace@',
    '4111',
    '2023-11',
    'raw-id',
    sessions[0]?.['csrfToken'] as string,
    'n'.repeat(65),
  ])
    expect(all).not.toContain(value);
  expect(html).not.toMatch(/<script|<link|<img|@import|url\(|https?:/);
  expect(html).toContain('&lt;script&gt;');
  expect(html).toContain("default-src 'none'");
  expect(all).not.toContain('\u202e');
  // What is neither a comment nor between quotes is ours.
  const acting = sql.replaceAll(/^ *--.*$/gm, '').replaceAll(/"[^"\n]*"|`[^`\n]*`/g, '');
  expect(acting).not.toMatch(/drop|delete|script|alert/i);
});

test('an empty source, one of another format and one that cannot be are told', async () => {
  const prefix = `p${randomBytes(4).toString('hex')}:`;
  const empty = await planned(prefix);
  expect(empty.result).toMatchObject({ code: 0, err: '' });
  expect(empty.result.out).toContain('the sample is empty');
  for (let n = 0; n < 20; n++) await client.set(`${prefix}${n}`, 'no session at all', { expiration: { type: 'EX', value: 600 } });
  const other = await planned(prefix);
  expect(other.result.out).toMatch(/^format +unknown$/m);
  expect(other.result.out).toMatch(/^decoded +0; not: 20 \w+$/m);
  expect(await run('migrate plan --source ftp://here')).toMatchObject({ code: 2, out: '' });
  expect(await run('migrate plan')).toMatchObject({ code: 2, err: expect.stringContaining('source.url') as string });
});
