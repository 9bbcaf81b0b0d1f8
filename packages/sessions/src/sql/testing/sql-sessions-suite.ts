import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { SessionRecord } from '../../record.ts';
import type { SessionRead } from '../stored-session.ts';
import { newKey, newRecord, startSessionCluster, type SessionCluster } from './cluster.ts';

/** What holds of sessions in the shards on every dialect; `unstorable` is what this one cannot hold. Control is the PostgreSQL of the project; the shards are on `shardServerUrl`. */
export function sqlSessionsSuite(shardServerUrl: () => string, unstorable: Partial<SessionRecord>): void {
  let cluster: SessionCluster;
  beforeAll(async () => {
    cluster = await startSessionCluster(inject('postgresUrl'), { shardServerUrl: shardServerUrl() });
  });
  afterAll(async () => cluster[Symbol.asyncDispose]());

  function live(read: SessionRead): SessionRecord {
    if (read.state !== 'live') throw new Error(`the session is ${read.state}`);
    return read.record;
  }

  test('a record comes back as it was put, under its digest only', async () => {
    const { sessions } = cluster;
    const record = newRecord({ version: { epoch: 1, n: 7 } });
    expect(await sessions.put(record)).toBe('applied');
    expect(await sessions.get(record.key)).toEqual({ state: 'live', record });
    expect(await sessions.getById(record.key.slot, record.key.id)).toEqual({ state: 'live', record });
    expect(await sessions.get(newKey(record.key.id))).toEqual({ state: 'absent' });
    expect(await sessions.get(newKey())).toEqual({ state: 'absent' });
    const bare = newRecord({ userId: null, username: null, role: null, authorities: [], expireTime: null, sourceRef: null });
    await sessions.create(bare);
    expect(await sessions.get(bare.key)).toEqual({ state: 'live', record: { ...bare, version: { epoch: 1, n: 1 } } });
  });

  test('put is insert-or-newer; a newer touch in an older version counts all the same', async () => {
    const { sessions } = cluster;
    const record = newRecord({ version: { epoch: 1, n: 5 } });
    await sessions.put(record);
    expect(await sessions.put(record)).toBe('older');
    expect(await sessions.put({ ...record, attributes: '{}', version: { epoch: 1, n: 4 } })).toBe('older');
    expect(await sessions.put({ ...record, attributes: '{}', version: { epoch: 0, n: 9 } })).toBe('older');
    expect(await sessions.put({ ...record, attributes: '{}', expireTime: 90_000, touchVersion: 2000, lastAccessTime: 2000 })).toBe(
      'applied',
    );
    expect(live(await sessions.get(record.key))).toMatchObject({ attributes: record.attributes, expireTime: 90_000, touchVersion: 2000 });
    const newer = { ...record, attributes: '{"n":6}', expireTime: 70_000, touchVersion: 1500, version: { epoch: 1, n: 6 } };
    expect(await sessions.put(newer)).toBe('applied');
    expect(live(await sessions.get(record.key))).toMatchObject({ attributes: '{"n":6}', expireTime: 90_000, touchVersion: 2000 });
    expect(await sessions.put({ ...record, version: { epoch: 2, n: 0 } })).toBe('applied');
  });

  test('many are put as they would be one by one, each under its own epoch', async () => {
    const { sessions, map } = cluster;
    const present = newRecord({ version: { epoch: 1, n: 5 } });
    const [fresh, doubled, ended, foreign] = Array.from({ length: 4 }, () => newRecord());
    if (fresh === undefined || doubled === undefined || ended === undefined || foreign === undefined) throw new Error('four were made');
    await sessions.put(present);
    await sessions.put(foreign);
    await sessions.end(ended.key, 5000);
    const records = [
      fresh,
      present,
      { ...present, expireTime: 80_000, touchVersion: 3000, lastAccessTime: 3000 },
      doubled,
      doubled,
      ended,
      newRecord({ key: newKey(foreign.key.id) }),
      ...Array.from({ length: 1200 }, () => newRecord()),
    ];
    const epochs = records.map(({ key }) => map.epochOf(key.slot));
    const outcomes = await sessions.putMany(records, epochs);
    expect(outcomes.slice(0, 7)).toEqual(['applied', 'older', 'applied', 'applied', 'older', 'ended', 'collision']);
    expect(outcomes.slice(7).every((outcome) => outcome === 'applied')).toBe(true);
    expect(live(await sessions.get(present.key))).toMatchObject({ expireTime: 80_000, touchVersion: 3000 });
    expect((await sessions.getMany(records.slice(7).map(({ key }) => key))).every(({ state }) => state === 'live')).toBe(true);
    const moved = newRecord();
    expect(await sessions.putMany([moved], [map.epochOf(moved.key.slot) + 1])).toEqual(['not_owned']);
    expect(await sessions.get(moved.key)).toEqual({ state: 'absent' });
  });

  test('save leaves a row of another identity as it is, unless the one who had it is named', async () => {
    const { sessions } = cluster;
    const record = newRecord({ userId: null, authorities: [] });
    const { epoch } = { epoch: cluster.map.epochOf(record.key.slot) };
    const as = (userId: string | null, ...authorities: string[]): SessionRecord => ({
      ...record,
      userId,
      authorities,
      attributes: `{"u":"${userId}"}`,
    });
    const outcomes: string[] = [];
    const save = async (next: SessionRecord, over?: { userId: string | null; authorities: readonly string[] }): Promise<void> => {
      outcomes.push((await sessions.save(next, epoch, over)).outcome);
    };
    await save(record);
    // Nobody's session may become anybody's, and stay his.
    await save(as('1', 'a', 'b'));
    await save(as('1', 'a', 'b'));
    expect(outcomes.splice(0)).toEqual(['applied', 'applied', 'applied']);
    const before = await sessions.get(record.key);
    for (const next of [as('1', 'a'), as('1', 'a', 'b', 'c'), as('2', 'a', 'b'), as(null)]) {
      await save(next);
      for (const over of [as('1', 'a'), as('2', 'a', 'b'), as(null, 'a', 'b')])
        await save(next, over.authorities === next.authorities ? as('3') : over);
    }
    expect(new Set(outcomes.splice(0))).toEqual(new Set(['differs']));
    expect(await sessions.get(record.key)).toEqual(before);
    await save(as('2', 'a'), as('1', 'a', 'b'));
    await save(as('1', 'a'), as('1', 'a', 'b'));
    await save(as(null), as('2', 'a'));
    expect(outcomes.splice(0)).toEqual(['applied', 'differs', 'applied']);
    expect(live(await sessions.get(record.key))).toMatchObject({ userId: null, version: { n: 5 } });
    expect((await sessions.save(as('1'), epoch - 1)).outcome).toBe('not_owned');
    await sessions.end(record.key, 5000);
    expect((await sessions.save(as('1'), epoch)).outcome).toBe('ended');
  });

  test('of many saves of different identities at once each is told of the one before', async () => {
    const { sessions } = cluster;
    const record = newRecord({ userId: '1', authorities: ['r0'] });
    const epoch = cluster.map.epochOf(record.key.slot);
    await sessions.save(record, epoch);
    const seen = await Promise.all(
      Array.from({ length: 20 }, async (_, n) => {
        const next = { ...record, authorities: [`r${n + 1}`] };
        let over: SessionRecord | undefined;
        for (;;) {
          const { outcome } = await sessions.save(next, epoch, over);
          if (outcome === 'applied') return over?.authorities[0];
          expect(outcome).toBe('differs');
          over = live(await sessions.get(record.key));
        }
      }),
    );
    // A chain: each role was replaced by one who knew of it, but the last, which is there.
    const last = live(await sessions.get(record.key)).authorities[0];
    expect(new Set([...seen, last])).toEqual(new Set(Array.from({ length: 21 }, (_, n) => `r${n}`)));
  });

  test('save makes the next version in the row', async () => {
    const { sessions } = cluster;
    const record = newRecord({ version: { epoch: 0, n: 3 } });
    await sessions.put(record);
    expect(await sessions.save(record, 1)).toEqual({ outcome: 'applied', version: { epoch: 1, n: 4 } });
    expect(await sessions.save(record, 1)).toEqual({ outcome: 'applied', version: { epoch: 1, n: 5 } });
    expect((await sessions.save(record, 2)).outcome).toBe('not_owned');
    const fresh = newRecord();
    expect(await sessions.save(fresh, 1)).toEqual({ outcome: 'applied', version: { epoch: 1, n: 1 } });
    const many = await Promise.all(Array.from({ length: 20 }, async () => sessions.save(fresh, 1)));
    expect(many.map(({ version }) => version.n).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i + 2));
  });

  test('a tombstone beats every write, also where nothing was', async () => {
    const { sessions } = cluster;
    const record = newRecord();
    const unseen = newRecord({ version: { epoch: 9, n: 9 } });
    await sessions.put(record);
    for (let i = 0; i < 2; i++) expect(await sessions.endMany([record.key, unseen.key], 5000 + i)).toEqual(['applied', 'applied']);
    for (const { key } of [record, unseen]) {
      expect(await sessions.get(key)).toMatchObject({ state: 'ended', tombstone: { key, endedAt: 5000 } });
      expect(await sessions.put({ ...record, key, version: { epoch: 1_000_000, n: 1 } })).toBe('ended');
      expect((await sessions.save({ ...record, key }, 1)).outcome).toBe('ended');
      expect(await sessions.create({ ...record, key })).toBe('ended');
      expect(await sessions.touchNow(key, { lastAccessTime: 2000, expireTime: null, touchVersion: 9000 })).toBe('ended');
      expect((await sessions.get(key)).state).toBe('ended');
    }
    const read = await sessions.get(record.key);
    expect(read.state === 'ended' && read.tombstone.sourceRef).toEqual(record.sourceRef);
  });

  test('another session under the same id is a collision and stays as it is', async () => {
    const { sessions } = cluster;
    const record = newRecord();
    await sessions.create(record);
    expect(await sessions.create(record)).toBe('applied');
    const other = { ...record, key: newKey(record.key.id), attributes: '"other"', version: { epoch: 5, n: 5 } };
    expect(await sessions.create(other)).toBe('collision');
    expect(await sessions.put(other)).toBe('collision');
    expect((await sessions.save(other, 1)).outcome).toBe('collision');
    expect(await sessions.touchNow(other.key, { lastAccessTime: 2000, expireTime: null, touchVersion: 9000 })).toBe('collision');
    expect(await sessions.end(other.key, 1)).toBe('collision');
    expect(live(await sessions.get(record.key)).attributes).toBe(record.attributes);
  });

  test('a touch counts where it is newer and came in the life of the session', async () => {
    const { sessions } = cluster;
    const record = newRecord({ expireTime: 61_000 });
    await sessions.create(record);
    const touch = (at: number, version = at) =>
      sessions.touchNow(record.key, { lastAccessTime: at, expireTime: at + 60_000, touchVersion: version });
    expect(await touch(3000)).toBe('applied');
    expect(await touch(2000)).toBe('older');
    expect(await touch(63_000)).toBe('ended');
    expect(live(await sessions.get(record.key))).toMatchObject({ lastAccessTime: 3000, expireTime: 63_000, version: { epoch: 1, n: 1 } });
    expect(await sessions.touchNow(newKey(), { lastAccessTime: 1, expireTime: 2, touchVersion: 1 })).toBe('older');
  });

  test('a record that cannot be stored fails alone in its batch', async () => {
    const { sessions } = cluster;
    const records = Array.from({ length: 9 }, (_, i) => newRecord(i === 4 ? unstorable : {}));
    const results = await Promise.allSettled(records.map(async (record) => sessions.create(record)));
    expect(results.map(({ status }) => status)).toEqual(records.map((_, i) => (i === 4 ? 'rejected' : 'fulfilled')));
    expect(results[4]).toMatchObject({ reason: { code: 'record_unstorable' } });
  });

  test('the sessions of a user end up to a generation, on every shard', async () => {
    const { sessions } = cluster;
    const old = Array.from({ length: 12 }, () => newRecord({ userId: 'u1', userGeneration: 0 }));
    const current = newRecord({ userId: 'u1', userGeneration: 1 });
    const other = newRecord({ userId: 'u2' });
    await Promise.all([...old, current, other].map(async (record) => sessions.create(record)));
    expect(await sessions.endUser('u1', 1, 7000)).toBe(12);
    expect(await sessions.endUser('u1', 1, 7000)).toBe(0);
    const states = await sessions.getMany([...old, current, other].map(({ key }) => key));
    expect(states.map(({ state }) => state)).toEqual([...old.map(() => 'ended'), 'live', 'live']);
  });

  test('every shard knows the least generation of a user, which never falls', async () => {
    const { sessions } = cluster;
    const slots = [0, 1, 2, 3, 4, 5, 6, 7];
    const known = async (userId: string): Promise<number[]> => [
      ...new Set(await Promise.all(slots.map(async (slot) => sessions.leastGeneration(slot, userId)))),
    ];
    expect(await known('floor')).toEqual([0]);
    await Promise.all([3, 1, 5, 2].map(async (generation) => sessions.endUser('floor', generation, 7000)));
    expect(await known('floor')).toEqual([5]);
    expect([await known('Floor'), await known('floor ')]).toEqual([[0], [0]]);
    const long = '𝄞'.repeat(3000);
    await sessions.endUser(long, 2, 7000);
    expect(await known(long)).toEqual([2]);
  });

  test('users whose ids differ by case, a space, an accent or a sign are different users', async () => {
    const { sessions } = cluster;
    const users = ['Eve', 'eve', 'eve ', 'Ève', 'eve\u0301', 'e%e', "e'e\\", '𝄞', ''];
    const records = users.map((userId) => newRecord({ userId, username: userId, role: userId, authorities: [userId] }));
    await Promise.all(records.map(async (record) => sessions.create(record)));
    for (const record of records) expect(live(await sessions.get(record.key))).toMatchObject({ userId: record.userId, role: record.role });
    const epoch = cluster.map.epochOf(records[1]?.key.slot ?? 0);
    const [, eve, spaced] = records;
    if (eve === undefined || spaced === undefined) throw new Error('they were made');
    expect((await sessions.save({ ...eve, userId: 'eve ' }, epoch)).outcome).toBe('differs');
    expect((await sessions.save({ ...eve, userId: 'EVE' }, epoch, { userId: 'Eve', authorities: ['eve'] })).outcome).toBe('differs');
    for (const [at, userId] of users.entries()) {
      expect(await sessions.endUser(userId, 1, 7000)).toBe(1);
      const states = await sessions.getMany(records.map(({ key }) => key));
      expect(states.map(({ state }) => state)).toEqual(users.map((_, other) => (other <= at ? 'ended' : 'live')));
    }
  });

  test('of sessions that are born, ended and saved at once under one id, each call has one meaning, and the end stays', async () => {
    const { sessions } = cluster;
    // Many: two statements that insert the row at the same moment may meet at any of its unique keys.
    for (let round = 0; round < 300; round++) {
      const record = newRecord();
      const epoch = cluster.map.epochOf(record.key.slot);
      const [created, put, saved, ended, foreign] = await Promise.all([
        sessions.create(record),
        sessions.put({ ...record, version: { epoch: 1, n: 1 } }, epoch),
        sessions.save(record, epoch),
        sessions.end(record.key, 5000),
        sessions.create({ ...record, key: newKey(record.key.id) }),
      ]);
      const read = await sessions.get(record.key);
      // Either the stranger was first, and everything else is a collision, or it is one.
      if (foreign === 'applied')
        expect([created, put, saved.outcome, ended, read.state]).toEqual(['collision', 'collision', 'collision', 'collision', 'absent']);
      else expect([ended, read.state]).toEqual(['applied', 'ended']);
    }
  });

  test('the epoch in force is confirmed by the shard', async () => {
    const { sessions } = cluster;
    expect([await sessions.confirmEpoch(5, 1), await sessions.confirmEpoch(5, 2)]).toEqual([true, false]);
  });
}
