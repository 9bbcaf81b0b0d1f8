import { startPostgres, type PostgresServer } from '@wherry/embedded';
import { PATIENT_MS, createTestDatabase, type TestDatabase } from '@wherry/embedded/testing';
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, test, vi } from 'vitest';
import { isWherryError } from '../errors.ts';
import { openDatabase, transaction, type Database } from './database.ts';
import { nextSeq, type FeedTopic } from './feed.ts';
import { coreSchema } from './index.ts';
import { Instance, type InstanceOptions } from './instance.ts';
import { applySchema } from './schema.ts';

/** Longer than any test lasts. */
const LONG_MS = 3_600_000;

let place: TestDatabase;
let database: Database;
const started: Instance[] = [];

beforeAll(async () => {
  place = await createTestDatabase(inject('postgresUrl'));
  database = openDatabase({ url: place.url, poolSize: 8, statementMs: PATIENT_MS });
  await applySchema(database, [coreSchema]);
});
beforeEach(async () => {
  await database.query('TRUNCATE feed_topic, instance');
});
afterEach(async () => {
  await Promise.all(started.splice(0).map((instance) => instance.stop()));
});
afterAll(async () => {
  await database.end();
  await place.drop();
});

/** A topic without rows: its number alone. */
class NumberTopic implements FeedTopic {
  readonly topic: string;
  readonly #database: Database;
  /** Where a test holds loads up. */
  gate: Promise<void> | undefined;
  acting?: (seq: bigint) => Promise<void>;
  reached = 0n;
  loads = 0;

  constructor(topic: string, on: Database = database) {
    this.topic = topic;
    this.#database = on;
  }

  async load(since: bigint): Promise<bigint> {
    this.loads++;
    const { rows } = await this.#database.query<{ seq: bigint }>('SELECT seq FROM feed_topic WHERE topic = $1', [this.topic]);
    await this.gate;
    this.reached = rows[0]?.seq ?? since;
    return this.reached;
  }
}

const publish = (topic: string): Promise<bigint> => transaction(database, (tx) => nextSeq(tx, topic));

/** An instance whose lease ends in no pause of the machine, and whose renewals bring the news only where a test says so. */
function make(options: Partial<InstanceOptions> = {}): Instance {
  const instance = new Instance({ database, role: 'test', topics: [], leaseMs: LONG_MS, ...options });
  started.push(instance);
  return instance;
}

interface Row {
  readonly state: string;
  readonly live: boolean;
  readonly acked: Record<string, number>;
}
const rowOf = async (id: string, from: Database = database): Promise<Row | undefined> =>
  (
    await from.query<Row & Record<string, unknown>>(`SELECT state, acked, lease_until > wherry_now() AS live FROM instance WHERE id = $1`, [
      id,
    ])
  ).rows[0];

test('it is ready when every topic has been loaded once, and knows what was there before', async () => {
  await publish('a');
  await publish('a');
  const begun = performance.now();
  const gate = Promise.withResolvers<void>();
  const [a, b] = [new NumberTopic('a'), new NumberTopic('b')];
  b.gate = gate.promise;
  const instance = make({ topics: [a, b] });
  let ready = false;
  const running = instance.run().then(() => (ready = true));
  await vi.waitFor(() => expect([a.reached, b.loads]).toEqual([2n, 1]));
  expect(ready).toBe(false);
  expect(instance.leaseValid).toBe(false);
  expect(instance.staleMs('b')).toBe(Number.POSITIVE_INFINITY);
  gate.resolve();
  await running;
  expect(instance.leaseValid).toBe(true);
  const took = performance.now() - begun;
  expect(instance.staleMs('a')).toBeLessThanOrEqual(performance.now() - begun);
  // Both clocks are this machine's: what is measured is at most half of the way there and back, and the rounding.
  expect(Math.abs(instance.clockOffsetMs)).toBeLessThanOrEqual(took / 2 + 2);
});

test('it starts without topics, and its row says who it is', async () => {
  const instance = make({ role: 'gateway' });
  await instance.run();
  expect(await rowOf(instance.id)).toEqual({ state: 'live', acked: {}, live: true });
});

/** Connections of this file's database: other files run on the same server. */
const LISTENERS = `datname = current_database() AND application_name = 'wherry-feed'`;

test('news arrive by notification, though the next renewal is far away', async () => {
  const topic = new NumberTopic('a');
  await make({ topics: [topic], renewMs: LONG_MS }).run();
  await vi.waitFor(async () => {
    const { rows } = await database.query(`SELECT FROM pg_stat_activity WHERE ${LISTENERS} AND query LIKE 'LISTEN%'`);
    expect(rows.length).toBeGreaterThan(0);
  });
  for (let i = 0; i < 15; i++) {
    const seq = await publish('a');
    await vi.waitFor(() => expect(topic.reached).toBe(seq), { interval: 1 });
  }
});

test('without the listening connection news come with the next renewal, the lease is kept, and it listens again', async () => {
  const topic = new NumberTopic('a');
  const instance = make({ topics: [topic], renewMs: 50 });
  await instance.run();
  const { id } = instance;
  for (let i = 0; i < 5; i++) {
    await database.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${LISTENERS}`);
    const seq = await publish('a');
    await vi.waitFor(() => expect(topic.reached).toBe(seq), { interval: 2 });
  }
  await vi.waitFor(async () => {
    expect((await database.query(`SELECT FROM pg_stat_activity WHERE ${LISTENERS}`)).rows).toHaveLength(1);
  });
  expect(instance.id).toBe(id);
  expect(instance.leaseValid).toBe(true);
});

test('what is announced during a load is loaded at once, though acting on the first takes long', async () => {
  const topic = new NumberTopic('a');
  const instance = make({ topics: [topic], renewMs: LONG_MS });
  await instance.run();
  const [first, acted] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  topic.acting = () => acted.promise;
  topic.gate = first.promise;
  const loads = topic.loads;
  await publish('a');
  instance.poke();
  await vi.waitFor(() => expect(topic.loads).toBe(loads + 1));
  const second = await publish('a');
  instance.poke();
  // The poll that tells of the second number has been answered when its renewal is in the database.
  const before = (await database.query<{ l: bigint }>('SELECT lease_until AS l FROM instance WHERE id = $1', [instance.id])).rows[0]?.l;
  instance.poke();
  await vi.waitFor(async () => {
    const { rows } = await database.query<{ l: bigint }>('SELECT lease_until AS l FROM instance WHERE id = $1', [instance.id]);
    expect(rows[0]?.l).toBeGreaterThan(before ?? 0n);
  });
  topic.gate = undefined;
  first.resolve();
  await vi.waitFor(() => expect(topic.reached).toBe(second), { interval: 2 });
  acted.resolve();
});

test('a topic that is slow or fails holds up neither the lease nor the others, and is tried again', async () => {
  const [slow, quick] = [new NumberTopic('slow'), new NumberTopic('quick')];
  const instance = make({ topics: [slow, quick], renewMs: 20 });
  await instance.run();
  // Both ages run by the same clock: however slow all of it is, their difference tells how far one lags behind the other.
  const lag = (): number => instance.staleMs('slow') - instance.staleMs('quick');
  const leaseUntil = async (): Promise<bigint> =>
    (await database.query<{ l: bigint }>('SELECT lease_until AS l FROM instance WHERE id = $1', [instance.id])).rows[0]?.l ?? 0n;
  const gate = Promise.withResolvers<void>();
  slow.gate = gate.promise;
  const loads = slow.loads;
  await publish('slow');
  await vi.waitFor(() => expect(slow.loads).toBe(loads + 1));
  const before = await leaseUntil();
  await vi.waitFor(() => expect(lag()).toBeGreaterThan(700));
  expect(instance.leaseValid).toBe(true);
  expect(await leaseUntil()).toBeGreaterThan(before);
  const seq = await publish('quick');
  await vi.waitFor(() => expect(quick.reached).toBe(seq));
  gate.reject(new Error('the load failed'));
  slow.gate = undefined;
  await vi.waitFor(() => expect(lag()).toBeLessThan(300));
  expect(slow.reached).toBe(1n);
});

test('a number is acknowledged when the topic acts on it, not when it is loaded; lapsed and left instances are not waited for', async () => {
  const topic = new NumberTopic('a');
  const [follower, asker] = [make({ topics: [topic] }), make()];
  await Promise.all([follower.run(), asker.run()]);
  const acted = Promise.withResolvers<void>();
  let asked = 0;
  topic.acting = async () => {
    // The first time it cannot say; it has to be asked again.
    if (asked++ === 0) throw new Error('not now');
    await acted.promise;
  };
  const seq = await publish('a');
  await vi.waitFor(() => expect(topic.reached).toBe(seq));
  expect(await asker.acknowledged('a', seq, 300)).toBe(false);
  expect((await rowOf(follower.id))?.acked).toEqual({ a: 0 });
  acted.resolve();
  expect(await asker.acknowledged('a', seq, PATIENT_MS)).toBe(true);
  expect(asked).toBeGreaterThanOrEqual(2);
  expect((await rowOf(follower.id))?.acked).toEqual({ a: Number(seq) });
  expect(await asker.acknowledged('nobody follows this', 99n, 0)).toBe(true);
  expect(await asker.acknowledged('a', seq + 1n, 50)).toBe(false);
  await follower.stop();
  expect(await asker.acknowledged('a', seq + 1n, 50)).toBe(true);
});

test('a lease that was lost is never revived: a new id, the old row stays lapsed, and it counts only when all is loaded', async () => {
  const topic = new NumberTopic('a');
  const instance = make({ topics: [topic], renewMs: LONG_MS });
  await instance.run();
  const old = instance.id;
  expect(instance.holdsLease(old)).toBe(true);
  const gate = Promise.withResolvers<void>();
  topic.gate = gate.promise;
  // While this process was lapsed nobody waited for it: the world has moved on.
  const seq = await transaction(database, async (tx) => {
    await tx.query('UPDATE instance SET lease_until = wherry_now() - 1 WHERE id = $1', [old]);
    return nextSeq(tx, 'a');
  });
  await vi.waitFor(() => expect(instance.id).not.toBe(old));
  await vi.waitFor(async () => expect((await rowOf(instance.id))?.live).toBe(true));
  expect(instance.leaseValid).toBe(false);
  gate.resolve();
  await vi.waitFor(() => expect(instance.leaseValid).toBe(true));
  expect(topic.reached).toBe(seq);
  expect(instance.holdsLease(old)).toBe(false);
  expect(instance.holdsLease(instance.id)).toBe(true);
  expect(await rowOf(old)).toMatchObject({ state: 'live', live: false });
});

test('stop gives the lease back; one that had lapsed stays lapsed', async () => {
  const [orderly, lapsed] = [make(), make()];
  await Promise.all([orderly.run(), lapsed.run()]);
  await orderly.stop();
  expect(orderly.leaseValid).toBe(false);
  expect(await rowOf(orderly.id)).toMatchObject({ state: 'left' });
  const { id } = lapsed;
  await database.query('UPDATE instance SET lease_until = wherry_now() - 1 WHERE id = $1', [id]);
  await lapsed.stop();
  expect(await rowOf(id)).toMatchObject({ state: 'live', live: false });
});

test('stop during the start ends the start', async () => {
  const topic = new NumberTopic('a');
  const gate = Promise.withResolvers<void>();
  topic.gate = gate.promise;
  const instance = make({ topics: [topic] });
  const running = instance.run().catch((error: unknown) => error);
  await vi.waitFor(() => expect(topic.loads).toBe(1));
  const stopping = instance.stop();
  expect(isWherryError(await running, 'draining')).toBe(true);
  gate.resolve();
  await stopping;
  expect(await rowOf(instance.id)).toMatchObject({ state: 'left' });
});

test('stop before the start is no fault', async () => {
  await make().stop();
});

test('while the control database is away it grows stale and loses its lease; when it is back it registers anew', async () => {
  const leaseMs = 1500;
  const server: PostgresServer = await startPostgres({ databases: ['control'] });
  const away = openDatabase({ url: server.url('control'), statementMs: PATIENT_MS });
  try {
    await applySchema(away, [coreSchema]);
    const topic = new NumberTopic('a', away);
    const instance = make({ database: away, topics: [topic], renewMs: 50, leaseMs });
    await instance.run();
    const old = instance.id;
    await server.pause();
    const pausedAt = performance.now();
    const believedTooLong = await vi.waitFor(
      () => {
        // The time is taken first: a stop of the machine between the two makes the lease older, not younger.
        const over = performance.now() - pausedAt > leaseMs;
        const believes = instance.leaseValid;
        expect(over || !believes).toBe(true);
        return believes;
      },
      { interval: 5 },
    );
    expect(believedTooLong).toBe(false);
    await vi.waitFor(() => expect(instance.staleMs('a')).toBeGreaterThan(leaseMs + 300));
    await server.start();
    await vi.waitFor(() => expect([instance.leaseValid, instance.id === old]).toEqual([true, false]));
    expect(await rowOf(old, away)).toMatchObject({ state: 'live', live: false });
    // Listening has come back as well.
    const seq = await transaction(away, (tx) => nextSeq(tx, 'a'));
    await vi.waitFor(() => expect(topic.reached).toBe(seq));
    await vi.waitFor(() => expect(instance.staleMs('a')).toBeLessThan(performance.now() - pausedAt));
    await instance.stop();
  } finally {
    await away.end();
    await server.stop();
  }
});
