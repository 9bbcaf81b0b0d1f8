import { openDatabase, type Database } from '@wherry/core/control';
import { PATIENT_MS, createTestDatabase, type TestDatabase } from '@wherry/embedded/testing';
import { addDeadLetters, listDeadLetters } from '@wherry/sessions';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { loadConfig } from '../config/index.ts';
import { prepareDatabases } from '../roles/foundation.ts';
import { run, type Run } from '../testing/recording-terminal.ts';

let home: TestDatabase;
let shard: TestDatabase;
let control: Database;
beforeAll(async () => {
  home = await createTestDatabase(inject('postgresUrl'));
  shard = await createTestDatabase(inject('postgresUrl'));
  control = openDatabase({ url: home.url, statementMs: PATIENT_MS });
});
afterAll(async () => {
  await control.end();
  await home.drop();
  await shard.drop();
});

const wherry = (line: string): Promise<Run> => run(`migrate ${line}`, { WHERRY_CONTROL_URL: home.url, USER: 'ada' });
async function out(line: string): Promise<string> {
  const { code, out: text, err } = await wherry(line);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  return text.replaceAll(/ +/g, ' ');
}
async function lastAct(): Promise<unknown> {
  const { rows } = await control.query('SELECT actor, action, reason, details FROM audit ORDER BY id DESC LIMIT 1');
  return rows[0];
}

describe('wherry migrate', () => {
  it('says that nothing has been set up, rather than what PostgreSQL says', async () => {
    expect(await wherry('status')).toEqual({
      code: 1,
      out: '',
      err: 'wherry: the control database has no tables yet: no service has been started on it',
    });
    await prepareDatabases(loadConfig({ environment: { WHERRY_CONTROL_URL: home.url, WHERRY_SHARDS_URLS: shard.url } }).config);
  });

  it('prints where it stands, for people and for programs', async () => {
    expect(await out('status')).toMatch(/^step plan\ngoal .*\nrate unlimited\nslots shard 0: 16384 source\nverified not yet\n/);
    expect(JSON.parse(await out('status --json'))).toMatchObject({ step: 'plan', paused: false, deadLetters: { undecided: 0 } });
  });

  it('is steered, and keeps who did it and why', async () => {
    expect(await out('pause --reason lunch')).toMatch(/^plan, goal \w+ \d+ %, paused, rate unlimited$/);
    expect(await lastAct()).toEqual({ actor: 'ada', action: 'migration.change', reason: 'lunch', details: { paused: true } });
    expect(await out('status')).toMatch(/^step plan \(paused\)$/m);
    expect(await out('resume --actor grace')).toContain(', running, ');
    expect(await lastAct()).toMatchObject({ actor: 'grace', reason: null, details: { paused: false } });
    expect(await out('rate 5000')).toContain(', rate 5000/s');
    await out('pause');
    // A new goal is a wish to go on.
    expect(await out('switch 25')).toBe('plan, goal target 25 %, running, rate 5000/s');
    expect(await out('rollback --reason enough')).toBe('plan, goal source 100 %, running, rate 5000/s');
    expect(await out('rate 0')).toContain(', rate unlimited');
    expect(await wherry('switch 101')).toEqual({
      code: expect.any(Number) as number,
      out: '',
      err: 'wherry: percent is 101; allowed is a whole number from 0 to 100',
    });
    expect(await wherry('rate fast')).toMatchObject({ code: 2, err: expect.stringContaining('Allowed is a whole number') as string });
    expect(JSON.parse(await out('status --json'))).toMatchObject({ goal: 'source', goalPercent: 100, rate: 0 });
  });

  it('asks for another verification once there was one, and says what the newest has found', async () => {
    expect(await wherry('verify')).toMatchObject({ code: 1, err: expect.stringContaining('nothing has been verified yet') as string });
    expect(await out('status')).toMatch(/^differences nothing has been compared yet$/m);
    await control.query('UPDATE migration SET verified_since = 1000');
    await control.query(
      `INSERT INTO migration_verification (started_at, ended_at, compared, differences) VALUES (1000, 2000, 5000, '{"missing": 2}'), (3000, NULL, 0, '{}')`,
    );
    await control.query(
      "INSERT INTO migration_difference (slot, id, class, detail, repaired, pass) VALUES (1, 1, 'differs', 'expiry', false, 2)",
    );
    expect(await out('verify --reason failover')).toBe('plan, asked for; a running migrator begins it now');
    expect(await lastAct()).toMatchObject({ actor: 'ada', action: 'migration.verify', reason: 'failover' });
    const status = await out('status');
    expect(status).toMatch(/^verified 1970-01-01T00:00:01\.000Z, asked for again \S+Z$/m);
    expect(status).toMatch(
      /^differences 1 differs \(1 stand\) so far, comparing since 1970-01-01T00:00:03\.000Z; before: 2 missing, 1970-01-01T00:00:01\.000Z$/m,
    );
    await control.query('UPDATE migration_verification SET ended_at = 4000, compared = 5000 WHERE ended_at IS NULL');
    await control.query('UPDATE migration_difference SET repaired = true');
    expect(await out('status')).toMatch(/^differences 1 differs \(all mended\), 5,000 compared, ended 1970-01-01T00:00:04\.000Z; before:/m);
    expect(JSON.parse(await out('status --json'))).toMatchObject({
      verification: { compared: 5000, differences: { differs: 1 }, standing: 0 },
    });
  });

  it('shows dead letters, and leaves behind what a person decides to leave', async () => {
    expect(await out('dead-letters list')).toBe('there are none');
    await addDeadLetters(
      control,
      [11n, 12n].map((id) => ({ slot: 1, id, sourceRef: Buffer.alloc(8), reason: 'not_json', detail: 'not JSON' }) as const),
    );
    expect((await out('dead-letters list')).split('\n').toSorted()).toEqual(['11 not_json: not JSON', '12 not_json: not JSON']);
    expect(JSON.parse(await out('dead-letters list --limit 1 --json'))).toHaveLength(1);
    expect(await wherry('dead-letters abandon --id 11')).toMatchObject({ code: 2, err: expect.stringContaining('--reason') as string });
    expect(await out('dead-letters abandon --id 11 --reason spoilt')).toBe('1 abandoned');
    expect(await out('dead-letters list')).toMatch(/^11 not_json: not JSON \(\w+\)$/m);
    expect(await out('dead-letters abandon --reason spoilt')).toBe('1 abandoned');
    expect((await listDeadLetters(control, 10)).every(({ decision }) => decision !== null)).toBe(true);
    expect(await out('status')).toMatch(/^dead letters 0 undecided, 2 abandoned$/m);
  });
});
