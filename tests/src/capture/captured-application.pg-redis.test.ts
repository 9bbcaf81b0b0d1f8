import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { pause } from '@wherry/core';
import { startRedis, type RedisServer } from '@wherry/embedded';
import { readCapture, type ApplyStep } from '@wherry/migration';
import { Workbench } from '@wherry/migration/testing';
import { carriedSessionKey, sessionIdText, type SessionRuntime } from '@wherry/sessions';
import { createClient } from 'redis';
import { afterAll, beforeAll, expect, inject, onTestFinished, test } from 'vitest';
import type { CaptureOrder } from './capture-order.ts';
import { startPlain, type PlainApplication } from './plain-application.ts';

/*
 * An application that knows nothing of us, under traffic, is captured by a process that is killed at each step of its work.
 * A ledger of what the application has answered judges the target: nothing lost, nothing back, no authority kept.
 */
const PREFIX = 'sess:';
const child = fileURLToPath(new URL('capture-child.ts', import.meta.url));
/** The first after the snapshot, the later ones among changes that follow each other. */
const CRASHES: readonly { readonly at: ApplyStep; readonly occurrence: number }[] = [
  { at: 'source-read', occurrence: 2 },
  { at: 'end-recorded', occurrence: 2 },
  { at: 'tokens-ended', occurrence: 4 },
  { at: 'written', occurrence: 3 },
];

/** States of a capture that has begun. */
const CAPTURES: ReadonlySet<unknown> = new Set(['live', 'beginning']);

/** As many as can be checked in a moment; the traffic goes on with these. */
const MOST_SESSIONS = 200;

/** The pace of the traffic. */
const ROUND_EVERY_MS = 20;

let redis: RedisServer;
let client: ReturnType<typeof createClient>;

beforeAll(async () => {
  redis = await startRedis();
  client = createClient({ url: redis.url });
  await client.connect();
  await client.configSet('repl-diskless-sync-delay', '0');
});
afterAll(async () => {
  client.destroy();
  await redis.stop();
});

interface Entry {
  readonly rawId: string;
  readonly userId: string;
  roles: readonly string[];
  cookie: string | undefined;
}

/** What the application has answered. */
class Ledger {
  readonly entries: Entry[] = [];
  readonly #app: PlainApplication;
  #next = 1;

  constructor(app: PlainApplication) {
    this.#app = app;
  }

  get living(): Entry[] {
    return this.entries.filter(({ cookie }) => cookie !== undefined);
  }

  get gone(): Entry[] {
    return this.entries.filter(({ cookie }) => cookie === undefined);
  }

  async logIn(): Promise<Entry> {
    const n = this.#next++;
    const cookie = await this.#app.logIn(n);
    const rawId = this.#app.rawId(cookie);
    const session = await this.#app.load(rawId);
    if (session === undefined) throw new Error('the application has not kept its log-in');
    const { roles } = session['user'] as { roles: string[] };
    const entry: Entry = { rawId, userId: String(10_000 + n), roles, cookie };
    this.entries.push(entry);
    return entry;
  }

  async logOut(entry: Entry): Promise<void> {
    const { cookie } = entry;
    if (cookie !== undefined) await this.#app.logOut(cookie);
    entry.cookie = undefined;
  }

  /** A log-out while a request of the same session is under way, which saves it once more. */
  async logOutAndSaveLate(entry: Entry): Promise<void> {
    const session = await this.#app.load(entry.rawId);
    await this.logOut(entry);
    if (session !== undefined) await this.#app.save(entry.rawId, session);
  }

  async rotate(entry: Entry): Promise<void> {
    const { cookie, userId, roles } = entry;
    if (cookie === undefined) return;
    const next = await this.#app.rotate(cookie);
    entry.cookie = undefined;
    this.entries.push({ rawId: this.#app.rawId(next), userId, roles, cookie: next });
  }

  async changeRoles(entry: Entry, roles: readonly string[]): Promise<void> {
    const session = await this.#app.load(entry.rawId);
    if (session === undefined) throw new Error('the session is not there');
    await this.#app.save(entry.rawId, { ...session, user: { ...(session['user'] as object), roles } });
    entry.roles = roles;
  }

  /** One of everything, on sessions of this ledger. */
  async live(round: number): Promise<void> {
    if (this.entries.length > MOST_SESSIONS) {
      const busy = this.living[round % this.living.length];
      if (busy === undefined) return;
      if (round % 10 === 0 && this.living.length > MOST_SESSIONS / 3) return this.logOut(busy);
      return this.changeRoles(busy, ['member', `round${round}`]);
    }
    const fresh = [await this.logIn(), await this.logIn(), await this.logIn(), await this.logIn(), await this.logIn()];
    const [a, b, c, d] = fresh;
    const old = this.living[round % this.living.length];
    if (a === undefined || b === undefined || c === undefined || d === undefined || old === undefined) return;
    await this.#app.visit(a.cookie ?? '');
    await this.#app.addToCart(a.cookie ?? '', `item ${round}`);
    await this.logOut(b);
    await this.rotate(c);
    await this.changeRoles(d, ['member', `round${round}`]);
    await (round % 3 === 0 ? this.logOutAndSaveLate(old) : this.#app.visit(old.cookie ?? ''));
  }
}

/** A process of ours that captures. */
function capture(order: CaptureOrder): ChildProcess {
  return spawn(process.execPath, ['--conditions=source', child, JSON.stringify(order)], { stdio: ['ignore', 'inherit', 'inherit'] });
}

async function ended(process_: ChildProcess): Promise<string | number | null> {
  if (process_.exitCode === null && process_.signalCode === null) await once(process_, 'exit');
  return process_.signalCode ?? process_.exitCode;
}

async function targetOf(runtime: SessionRuntime, rawId: string): Promise<unknown> {
  const found = await runtime.target.get(carriedSessionKey(rawId));
  return found.state === 'live' ? { userId: found.record.userId, roles: found.record.authorities } : found.state;
}

async function lifeDifference(runtime: SessionRuntime, rawId: string): Promise<number> {
  const [found, life] = await Promise.all([runtime.target.get(carriedSessionKey(rawId)), client.pTTL(PREFIX + rawId)]);
  if (found.state !== 'live' || life <= 0) return Number.POSITIVE_INFINITY;
  return Math.abs((found.record.expireTime ?? 0) - (Date.now() + life));
}

/** What the target and the readers say of each session against what the application has answered. */
async function check(ledger: Ledger, runtime: SessionRuntime): Promise<void> {
  for (const { rawId, userId, roles } of ledger.living) {
    await expect.poll(() => targetOf(runtime, rawId)).toEqual({ userId, roles });
    await expect.poll(() => lifeDifference(runtime, rawId)).toBeLessThan(2000);
  }
  for (const { rawId } of ledger.gone) {
    await expect.poll(() => targetOf(runtime, rawId)).toBe('ended');
    await expect.poll(() => client.exists(PREFIX + rawId)).toBe(0);
  }
}

test('an application that knows nothing of us is captured over kills: nothing is lost, nothing comes back, tokens end', async () => {
  const bench = await Workbench.create(inject('postgresUrl'));
  onTestFinished(() => bench.close());
  const app = await startPlain(redis.url, PREFIX);
  onTestFinished(() => app.close());
  const { runtime } = await bench.process('gateway');
  const ledger = new Ledger(app);
  for (let n = 0; n < 40; n++) await ledger.logIn();
  const order: CaptureOrder = { bench: bench.address, redisUrl: redis.url, prefix: PREFIX, occurrence: 1 };
  let round = 0;
  let begunAt: number | undefined;
  for (const { at, occurrence } of CRASHES) {
    const process_ = capture({ ...order, crashAt: at, occurrence });
    onTestFinished(() => void process_.kill('SIGKILL'));
    const dead = ended(process_);
    let over = false;
    void dead.then(() => (over = true));
    // What is ended before anybody captures, nobody can know of. One that finds much to do may be dead before it is seen.
    await expect
      .poll(async () => over || (await readCapture(runtime.control))?.state)
      .toSatisfy((state) => state === true || CAPTURES.has(state));
    while (!over) {
      await ledger.live(round++);
      await pause(ROUND_EVERY_MS);
    }
    expect(await dead, `it was not killed at ${at}`).toBe('SIGKILL');
    // As if the time of its lease had passed.
    await runtime.control.query("UPDATE instance SET lease_until = wherry_now() - 1 WHERE role = 'migrator'");
    begunAt ??= (await readCapture(runtime.control))?.begunAt;
    // Nobody captures for a while.
    await ledger.live(round++);
  }
  const last = capture(order);
  onTestFinished(() => void last.kill('SIGKILL'));
  await expect.poll(async () => (await readCapture(runtime.control))?.state).toBe('live');
  for (let n = 0; n < 10; n++) await ledger.live(round++);
  await check(ledger, runtime);
  // Killed and begun again it went on where it was.
  expect((await readCapture(runtime.control))?.begunAt).toBe(begunAt);
  // How long a token lives on after a log-out that the application answered.
  const entry = await ledger.logIn();
  await expect.poll(() => targetOf(runtime, entry.rawId)).toMatchObject({ userId: entry.userId });
  const sid = sessionIdText(carriedSessionKey(entry.rawId).id);
  await ledger.logOut(entry);
  await expect.poll(() => runtime.ended.isSessionEnded(sid), { interval: 5 }).toBe(true);
  // And after a change of roles.
  const other = await ledger.logIn();
  await expect.poll(() => targetOf(runtime, other.rawId)).toMatchObject({ userId: other.userId });
  await ledger.changeRoles(other, ['member', 'less']);
  const bound = (): number => runtime.ended.sessionTokensNotBefore?.(sessionIdText(carriedSessionKey(other.rawId).id)) ?? 0;
  await expect.poll(bound).toBeGreaterThan(0);
  last.kill('SIGTERM');
  expect(await ended(last)).toBe(0);
});
