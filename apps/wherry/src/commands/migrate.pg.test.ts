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
    expect(await out('status')).toMatch(
      /^step plan\ngoal .*\nrate unlimited\nwork nothing has been shared out yet\nslots shard 0: 16384 source\nverified not yet\n/,
    );
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
    expect(await out('batch 200')).toBe('plan, goal source 100 %, running, rate unlimited, batch 200');
    expect(await lastAct()).toMatchObject({ details: { batch: 200 } });
    expect(await out('status')).toMatch(/^rate unlimited, 200 at a time$/m);
    expect(await wherry('batch 5001')).toMatchObject({
      err: expect.stringContaining('allowed is a whole number of sessions from 1 to 5000') as string,
    });
    expect(await wherry('rate fast')).toMatchObject({ code: 2, err: expect.stringContaining('Allowed is a whole number') as string });
    expect(JSON.parse(await out('status --json'))).toMatchObject({ goal: 'source', goalPercent: 100, rate: 0 });
  });

  it('is aborted at once where nothing has changed sides, and taken up again by a wish', async () => {
    expect(await out('abort --reason enough')).toMatch(/^aborted: every slot is at the source\./);
    expect(await lastAct()).toMatchObject({ actor: 'ada', action: 'migration.abort', reason: 'enough' });
    expect(await out('status')).toMatch(/^step plan \(aborted \S+Z\)$/m);
    expect(await wherry('abort')).toMatchObject({ code: 1, err: expect.stringContaining('aborted already') as string });
    await out('rollback');
    expect(await out('status')).toMatch(/^step plan$/m);
    await control.query("UPDATE slot_map SET primary_side = 'target' WHERE slot = 7");
    expect(await out('abort')).toMatch(/^asked for: /);
    expect(await out('status')).toMatch(/^step plan \(being aborted\)$/m);
    expect(await wherry('switch 10')).toMatchObject({ code: 1, err: expect.stringContaining('being aborted') as string });
    await control.query("UPDATE slot_map SET primary_side = 'source' WHERE slot = 7");
    expect(await out('abort')).toMatch(/^aborted: /);
    await out('rollback');
  });

  it('shows how the work is shared out, by part and shard, with what is left of it', async () => {
    await control.query(`INSERT INTO instance (id, role, started_at, lease_until) VALUES ('w1', 'migrator', 0, wherry_now() + 600000)`);
    await control.query(`INSERT INTO migration_pass (pass, part, incarnation, worker, claim, expected, counts, rate, pace, done)
      VALUES ('copy', '0', '', 'w1', 1, 5000, '{"scanned": 3000, "copied": 3000, "shard 0": 3000}', 1000, '{"share": 0.5}', false),
        ('copy', '1', '', 'gone', 2, 5000, '{"scanned": 0}', 900, '{}', false)`);
    const text = await out('status');
    expect(text).toMatch(/^work 0 of 2 parts done, 1,000\/s by 1 worker, about 7 s left$/m);
    expect(text).toMatch(/^ copy 0 3,000 of about 5,000, 1,000\/s, held at 50 % by slow stores, about 2 s left$/m);
    expect(text).toMatch(/^ shard 0 3,000 copied, 1,000\/s$/m);
    // The worker of the other has no lease: the part waits.
    expect(text).not.toMatch(/^ copy 1/m);
    expect(JSON.parse(await out('status --json'))).toMatchObject({ work: { workers: 1, rate: 1000, leftMs: 7000 } });
    await control.query("DELETE FROM migration_pass; DELETE FROM instance WHERE id = 'w1'");
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
