import { startRedis, type RedisServer } from '@wherry/embedded';
import { PATIENT_MS } from '@wherry/embedded/testing';
import { carriedSessionKey, sessionIdText, type SourceStore } from '@wherry/sessions';
import { createRedisNotificationFeed, createRedisReplicationFeed, createRedisSource } from '@wherry/sessions/redis';
import { createClient } from 'redis';
import { afterAll, beforeAll, expect, inject, onTestFinished, test } from 'vitest';
import { changeMigration, readMigration } from '../journal/state.ts';
import { closedGates } from '../switch/gates.ts';
import { Workbench, type MigratorSetup, type RunningMigrator } from '../testing/workbench.ts';
import { captureObjections } from './capture-gates.ts';
import { readCapture } from './capture-row.ts';

let server: RedisServer;
let client: ReturnType<typeof createClient>;

beforeAll(async () => {
  server = await startRedis();
  client = createClient({ url: server.url });
  await client.connect();
  await client.configSet('repl-diskless-sync-delay', '0');
});
afterAll(async () => {
  client.destroy();
  await server.stop();
});

function text(user: string, ...roles: string[]): string {
  return JSON.stringify({ cookie: { originalMaxAge: 3_600_000, path: '/' }, user: { id: user, name: user, roles } });
}

/** A bench whose application writes past us under a prefix of its own. */
class Town implements AsyncDisposable {
  readonly bench: Workbench;
  readonly prefix: string;
  readonly source: SourceStore;

  private constructor(bench: Workbench, prefix: string) {
    this.bench = bench;
    this.prefix = prefix;
    this.source = createRedisSource({ client, prefix, timeoutMs: PATIENT_MS });
  }

  static async open(prefix: string): Promise<Town> {
    const town = new Town(await Workbench.create(inject('postgresUrl')), prefix);
    onTestFinished(() => town[Symbol.asyncDispose]());
    return town;
  }

  migrator(options: MigratorSetup = {}): Promise<RunningMigrator> {
    const capture = createRedisReplicationFeed({ url: server.url, prefix: this.prefix, timeoutMs: PATIENT_MS });
    return this.bench.migrator(this.source, { writers: 'captured', capture, ...options });
  }

  async write(id: string, value: string, seconds = 3600): Promise<void> {
    await client.set(this.prefix + id, value, { expiration: { type: 'EX', value: seconds } });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.bench.close();
  }
}

async function rowOf({ context }: RunningMigrator, id: string): Promise<unknown> {
  const found = await context.target.get(carriedSessionKey(id));
  return found.state === 'live' ? { user: found.record.userId, roles: found.record.authorities } : found.state;
}

async function live({ context }: RunningMigrator): Promise<void> {
  await expect.poll(async () => (await readCapture(context.control))?.state).toBe('live');
}

test('what an application does past us is at the target: log-ins, touches, changes, log-outs, ids of others in their place', async () => {
  const town = await Town.open('all:');
  await town.write('there', text('ada', 'user'));
  const running = await town.migrator();
  await live(running);
  await expect.poll(() => rowOf(running, 'there')).toEqual({ user: 'ada', roles: ['user'] });
  await town.write('new', text('grace', 'user'));
  await expect.poll(() => rowOf(running, 'new')).toEqual({ user: 'grace', roles: ['user'] });
  await client.expire('all:new', 7200);
  await expect
    .poll(async () => {
      const found = await running.context.target.get(carriedSessionKey('new'));
      return found.state === 'live' ? (found.record.expireTime ?? 0) - Date.now() : 0;
    })
    .toBeGreaterThan(7_000_000);
  await client.rename('all:new', 'all:renamed');
  await expect.poll(() => rowOf(running, 'new')).toBe('ended');
  await expect.poll(() => rowOf(running, 'renamed')).toEqual({ user: 'grace', roles: ['user'] });
  await client.del('all:there');
  await expect.poll(() => rowOf(running, 'there')).toBe('ended');
  expect(running.context.ended.isSessionEnded(sessionIdText(carriedSessionKey('there').id))).toBe(true);
  // A request that was slow saves it once more.
  await town.write('there', text('ada', 'user'));
  await expect.poll(() => client.exists('all:there')).toBe(0);
  expect(await rowOf(running, 'there')).toBe('ended');
});

test('running out is no log-out: nothing is ended for good, and the id may be used again', async () => {
  const town = await Town.open('expiry:');
  const running = await town.migrator();
  await live(running);
  let id = '';
  // One that runs out before a busy machine has looked at it never comes to the target: the next lives longer.
  for (let life = 300; id === ''; life *= 4) {
    await client.set(`expiry:s${life}`, text('ada'), { expiration: { type: 'PX', value: life } });
    await expect.poll(() => client.exists(`expiry:s${life}`)).toBe(0);
    await town.write(`other${life}`, text('grace'));
    await expect.poll(() => rowOf(running, `other${life}`)).toMatchObject({ user: 'grace' });
    expect(running.context.ended.isSessionEnded(sessionIdText(carriedSessionKey(`s${life}`).id))).toBe(false);
    if (typeof (await rowOf(running, `s${life}`)) === 'object') id = `s${life}`;
  }
  await town.write(id, text('alan'));
  await expect.poll(() => rowOf(running, id)).toMatchObject({ user: 'alan' });
});

test('a session that changes its user or authorities past us ends its tokens, also when it changes back at once', async () => {
  const town = await Town.open('roles:');
  const running = await town.migrator();
  await live(running);
  const bound = (id: string): number => running.context.ended.sessionTokensNotBefore?.(sessionIdText(carriedSessionKey(id).id)) ?? 0;
  for (const id of ['same', 'less', 'back']) await town.write(id, text('ada', 'user', 'admin'));
  for (const id of ['same', 'less', 'back']) await expect.poll(() => rowOf(running, id)).toMatchObject({ user: 'ada' });
  await town.write('same', text('ada', 'admin', 'user'), 1800);
  await client.multi().set('roles:back', text('ada', 'user')).exec();
  await client.set('roles:back', text('ada', 'user', 'admin'));
  await town.write('less', text('ada', 'user'));
  await expect.poll(() => bound('less')).toBeGreaterThan(0);
  await expect.poll(() => bound('back')).toBeGreaterThan(0);
  await expect.poll(() => rowOf(running, 'less')).toEqual({ user: 'ada', roles: ['user'] });
  expect(bound('same')).toBe(0);
});

test('no slot leaves the source while somebody writes past us; when none does, all do', async () => {
  const town = await Town.open('switch:');
  const ids = Array.from({ length: 200 }, (_, n) => `s${n}`);
  for (const id of ids) await town.write(id, text(`user-${id}`));
  await changeMigration(town.bench.database(town.bench.controlUrl), { goalPercent: 10 }, { actor: 'test' });
  const running = await town.migrator();
  const gates = async (): Promise<string[]> => (await closedGates(running.context)).map(({ gate }) => gate);
  await expect.poll(async () => (await readMigration(running.context.control)).step).toBe('switch');
  await town.write('s1', text('user-s1', 'changed'));
  await expect.poll(async () => (await readCapture(running.context.control))?.foreignAt).toBeGreaterThan(0);
  expect(await gates()).toContain('captured_writers');
  await running.end();
  // The last instance was wrapped meanwhile, and somebody had forgotten one.
  const next = await town.migrator({ writers: 'none' });
  await live(next);
  // It was a moment ago, however long it has taken to come to here.
  await next.context.control.query('UPDATE migration_capture SET foreign_at = wherry_now() WHERE foreign_at IS NOT NULL');
  expect((await closedGates(next.context)).map(({ gate }) => gate)).toContain('captured_writers');
  await next.context.control.query('UPDATE migration_capture SET foreign_at = foreign_at - 30000');
  await next.migrator.atGoal();
  const left = (id: string): boolean => next.context.slots.entry(carriedSessionKey(id).slot).side === 'target';
  expect(next.context.slots.counts().reduce((sum, { target }) => sum + target, 0)).toBe(1638);
  expect(await rowOf(next, 's1')).toEqual({ user: 'user-s1', roles: ['changed'] });
  // What is written all the same is carried where it is new, honoured where it ends, and else written over.
  const [changed = '', removed = ''] = ids.filter(left);
  const stray = Array.from({ length: 1000 }, (_, n) => `stray${n}`).find(left) ?? '';
  await town.write(stray, text('alan'));
  await town.write(changed, text('mallory', 'admin'));
  await client.del(`switch:${removed}`);
  await expect.poll(() => rowOf(next, stray)).toMatchObject({ user: 'alan' });
  await expect.poll(() => rowOf(next, removed)).toBe('ended');
  const written = async (): Promise<unknown> => JSON.parse((await client.get(`switch:${changed}`)) ?? '{}') as unknown;
  await expect.poll(written).toMatchObject({ user: { id: `user-${changed}` } });
  expect(await rowOf(next, changed)).toMatchObject({ user: `user-${changed}` });
  await expect.poll(async () => (await readCapture(next.context.control))?.strays).toBe(3);
});

test('a capture that could not go on has everything compared again, and finds what ended meanwhile', async () => {
  const town = await Town.open('away:');
  await town.write('stays', text('ada'));
  await town.write('goes', text('grace'));
  const first = await town.migrator();
  await expect.poll(async () => (await readMigration(first.context.control)).step).toBe('switch');
  const before = (await readCapture(first.context.control))?.begunAt ?? 0;
  await first.end();
  await client.del('away:goes');
  await town.write('comes', text('alan'));
  // The backlog does not reach back any more.
  await client.set('elsewhere', 'x'.repeat(2_000_000));
  const second = await town.migrator();
  await expect.poll(async () => (await readCapture(second.context.control))?.begunAt).toBeGreaterThan(before);
  await expect.poll(() => rowOf(second, 'comes')).toMatchObject({ user: 'alan' });
  await expect.poll(() => rowOf(second, 'goes')).toBe('ended');
  expect(second.context.ended.isSessionEnded(sessionIdText(carriedSessionKey('goes').id))).toBe(true);
  expect(await rowOf(second, 'stays')).toMatchObject({ user: 'ada' });
});

test('by notifications too, but only what was compared after the last writer opens the gates', async () => {
  await client.configSet('notify-keyspace-events', 'KEA');
  onTestFinished(async () => void (await client.configSet('notify-keyspace-events', '')));
  const town = await Town.open('notified:');
  await town.write('there', text('ada'));
  const capture = createRedisNotificationFeed({ url: server.url, prefix: town.prefix, timeoutMs: PATIENT_MS });
  const running = await town.migrator({ capture });
  await live(running);
  await town.write('new', text('grace', 'user'));
  await expect.poll(() => rowOf(running, 'new')).toEqual({ user: 'grace', roles: ['user'] });
  await town.write('new', text('grace', 'other'));
  await expect.poll(() => rowOf(running, 'new')).toEqual({ user: 'grace', roles: ['other'] });
  await client.del('notified:there');
  await expect.poll(() => rowOf(running, 'there')).toBe('ended');
  const view = await readCapture(running.context.control);
  expect(view).toMatchObject({ reliable: false, releasedAt: null });
  expect(captureObjections(view, Number.MAX_SAFE_INTEGER).map(({ gate }) => gate)).toEqual(['captured_writers', 'not_verified']);
});

test('writers that nothing captures are refused', async () => {
  const town = await Town.open('none:');
  await expect(town.bench.migrator(town.source, { writers: 'captured' })).rejects.toMatchObject({ code: 'config_invalid' });
});
