import { openDatabase, type Database } from '@wherry/core/control';
import { createTestDatabase, type TestDatabase } from '@wherry/embedded/testing';
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
  control = openDatabase({ url: home.url });
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
