import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, onTestFinished, test } from 'vitest';
import { RevocationSet } from './revocation-set.ts';
import { Revocations } from './revocations.ts';
import { KEEP_MS, startControl, startFollower, type Follower, type TestControl } from './testing/followers.ts';

let control: TestControl;
beforeAll(async () => {
  control = await startControl(inject('postgresUrl'));
});
afterAll(() => control[Symbol.asyncDispose]());
beforeEach(async () => {
  await control.database.query('TRUNCATE revocation, revocation_keep, session_change, feed_topic, instance, audit');
});

async function follow(...options: Parameters<typeof startFollower> extends [string, ...infer O] ? O : never): Promise<Follower> {
  const follower = await startFollower(control.url, ...options);
  onTestFinished(() => follower[Symbol.asyncDispose]());
  return follower;
}

const end = (id: bigint): { slot: number; id: bigint; digest: Buffer; reason: 'logout' } => ({
  slot: 1,
  id,
  digest: Buffer.alloc(32),
  reason: 'logout',
});
const second = (): number => Math.floor(Date.now() / 1000);

async function audited(): Promise<unknown[]> {
  const { rows } = await control.database.query<{ actor: string; action: string; reason: string; details: unknown }>(
    'SELECT actor, action, reason, details FROM audit ORDER BY id',
  );
  return rows.map(({ actor, action, reason, details }) => [actor, action, reason, details]);
}

/** A set that was loaded from nothing, as after a restart. */
async function restarted(): Promise<RevocationSet> {
  const set = new RevocationSet({ database: control.database, staleMs: () => 0 });
  await set.load(0n);
  return set;
}

describe('what is ended', () => {
  test('ends here at once and everywhere when it is said to be propagated', async () => {
    const [one, other] = [await follow(), await follow()];
    const { revocations } = one;
    const seqs = [
      await revocations.endSession(end(77n)),
      await revocations.endToken({ jti: 'token-1', exp: second() + 300 }),
      await revocations.endFamily({ id: 5n, reason: 'revoked' }),
      (await revocations.raiseGeneration('ann', 'tester', 'a test')).seq,
      (await revocations.raiseIssuerNotBefore(1000, 'tester', 'a test')).seq,
      (await revocations.disableUser('bob', 'tester', 'a test')).seq,
    ];
    const seen = ({ set }: { set: RevocationSet }): unknown => [
      set.isSessionEnded('77'),
      set.isSessionEnded('78'),
      set.isTokenEnded('token-1'),
      set.isTokenEnded('token-2'),
      set.isFamilyEnded('5'),
      set.isFamilyEnded('77'),
      set.isSessionEnded('5'),
      set.minimumGeneration('ann'),
      set.minimumGeneration('bob'),
      set.isUserDisabled('bob'),
      set.isUserDisabled('ann'),
      set.issuerNotBefore,
    ];
    const expected = [true, false, true, false, true, false, false, 1, Number.POSITIVE_INFINITY, true, false, 1000];
    expect(seen(one)).toEqual(expected);
    expect(await revocations.propagated(seqs.at(-1) ?? 0n)).toBe(true);
    expect(seen(other)).toEqual(expected);
    expect(seen({ set: await restarted() })).toEqual(expected);
    expect(seqs).toEqual([1n, 2n, 3n, 4n, 5n, 6n]);
  });

  test('is one act with its line in the audit log', async () => {
    const { revocations } = await follow();
    await revocations.disableUser('bob', 'operator', 'fraud');
    await revocations.enableUser('bob', 'operator', 'a mistake');
    await revocations.enableUser('bob', 'operator', 'again');
    await revocations.raiseIssuerNotBefore(1000.9, 'operator', 'key lost');
    await revocations.raiseGeneration('ann', 'user:ann', 'log-out everywhere');
    expect(await audited()).toEqual([
      ['operator', 'user.disabled', 'fraud', { userId: 'bob', generation: 1 }],
      ['operator', 'user.enabled', 'a mistake', { userId: 'bob' }],
      ['operator', 'issuer.not_before_raised', 'key lost', { notBefore: 1000 }],
      ['user:ann', 'user.generation_raised', 'log-out everywhere', { userId: 'ann', generation: 1 }],
    ]);
  });

  test('many at once are few statements, a token that is ended twice is one record', async () => {
    const { revocations, set } = await follow();
    const exp = second() + 300;
    await Promise.all([
      ...Array.from({ length: 300 }, (_, i) => revocations.endToken({ jti: `t${i % 100}`, exp: exp + (i % 7) })),
      ...Array.from({ length: 300 }, (_, i) => revocations.endSession(end(BigInt(i % 100)))),
      ...Array.from({ length: 300 }, (_, i) => revocations.endFamily({ id: BigInt(i % 100) + 1n, reason: 'reused' })),
    ]);
    expect(set.size).toMatchObject({ sessions: 100, families: 100, tokens: 100 });
    const { rows } = await control.database.query<{ n: bigint; seq: bigint }>('SELECT count(*) AS n, max(seq) AS seq FROM revocation');
    expect(rows[0]?.n).toBe(300n);
    expect(Number(rows[0]?.seq)).toBeLessThan(20);
  });
});

describe('the tokens of a session that changes', () => {
  const bound = async (sid: bigint): Promise<number> => (await restarted()).sessionTokensNotBefore(sid.toString());

  test('are ended everywhere, and the session is not', async () => {
    const [one, other] = [await follow(), await follow()];
    const before = second();
    const seq = await one.revocations.endSessionChange({ id: 7n });
    expect(await one.revocations.propagated(seq)).toBe(true);
    for (const set of [one.set, other.set, await restarted()]) {
      expect(set.sessionTokensNotBefore('7')).toBeGreaterThan(before);
      expect([set.isSessionEnded('7'), set.sessionTokensNotBefore('8'), set.size.sessionTokens]).toEqual([false, 0, 1]);
    }
  });

  test('of every earlier change are ended by the next one, however soon it comes', async () => {
    const { revocations, set } = await follow();
    let last = 0;
    for (let n = 0; n < 20; n++) {
      await revocations.endSessionChange({ id: 7n });
      expect(set.sessionTokensNotBefore('7')).toBeGreaterThan(last);
      last = set.sessionTokensNotBefore('7');
    }
    expect(await bound(7n)).toBe(last);
  });

  test('have a bound that keeps to the clock where a session changes once a second', async () => {
    const { revocations, set } = await follow();
    const began = second();
    for (let n = 0; n < 20; n++) await revocations.endSessionChange(await revocations.beginSessionChange(7n));
    const ahead = set.sessionTokensNotBefore('7') - began;
    expect(ahead).toBeGreaterThanOrEqual(20);
    // One step for each change, and what the clock has gone on meanwhile.
    expect(ahead).toBeLessThanOrEqual(22 + 2 * (second() - began));
  });

  test('are ended once more when the change is made, or when nobody says that it is', async () => {
    const { revocations, set } = await follow();
    const made = await revocations.beginSessionChange(7n);
    await revocations.beginSessionChange(8n);
    const begun = [set.sessionTokensNotBefore('7'), set.sessionTokensNotBefore('8')] as const;
    await revocations.endSessionChange(made);
    const ended = set.sessionTokensNotBefore('7');
    expect(ended).toBeGreaterThan(begun[0]);
    await revocations.sweep();
    expect(await bound(8n)).toBe(begun[1]);
    // As if both had been begun long ago, and the process of the second had died.
    await control.database.query('UPDATE session_change SET since = since - 60000');
    const sweeper = await follow();
    await sweeper.revocations.sweep();
    expect([await bound(7n), (await bound(8n)) > begun[1]]).toEqual([ended, true]);
    expect((await control.database.query('SELECT FROM session_change')).rowCount).toBe(0);
  });

  test('of two changes at once: the end of the one leaves the other under way', async () => {
    const { revocations } = await follow();
    const [one] = await Promise.all([revocations.beginSessionChange(7n), revocations.beginSessionChange(7n)]);
    await revocations.endSessionChange(one);
    expect((await control.database.query('SELECT FROM session_change')).rowCount).toBe(1);
  });

  test('of many sessions at once take few statements, and are deleted when no token of before can live', async () => {
    const { revocations, set } = await follow();
    await Promise.all(Array.from({ length: 300 }, (_, i) => revocations.endSessionChange({ id: BigInt(i) })));
    const { rows } = await control.database.query<{ n: bigint; seq: bigint }>('SELECT count(*) AS n, max(seq) AS seq FROM revocation');
    expect([rows[0]?.n, Number(rows[0]?.seq) < 20, set.size.sessionTokens]).toEqual([300n, true, 300]);
    expect(await revocations.sweep()).toBe(0);
    await control.database.query('UPDATE revocation SET expire_time = wherry_now() - 1');
    expect(await revocations.sweep()).toBe(300);
  });
});

describe('a user who is disabled', () => {
  test('has lost what he had, and is let in again without it', async () => {
    const [one, other] = [await follow(), await follow()];
    const { generation } = await one.revocations.disableUser('ann', 'tester', 'a test');
    // A session that is saved meanwhile by an application that knows nothing of it is stamped with what the set says.
    expect(JSON.stringify({ stamp: one.set.minimumGeneration('ann') })).toBe('{"stamp":null}');
    const seq = await one.revocations.enableUser('ann', 'tester', 'a test');
    expect(await one.revocations.propagated(seq ?? 0n)).toBe(true);
    for (const set of [one.set, other.set, await restarted()]) {
      expect([set.isUserDisabled('ann'), set.minimumGeneration('ann'), set.size.disabled]).toEqual([false, generation, 0]);
    }
    expect(await one.revocations.enableUser('ann', 'tester', 'a test')).toBeUndefined();
    expect(await one.revocations.enableUser('nobody', 'tester', 'a test')).toBeUndefined();
  });

  test('two operators at once: the last word counts, in every process', async () => {
    const [one, other] = [await follow(), await follow()];
    await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        i % 2 === 0 ? one.revocations.disableUser('ann', 'one', 'a test') : other.revocations.enableUser('ann', 'other', 'a test'),
      ),
    );
    const { seq } = await one.revocations.raiseGeneration('ann', 'one', 'a test');
    await one.revocations.propagated(seq);
    const disabled = (await restarted()).isUserDisabled('ann');
    expect([one.set.isUserDisabled('ann'), other.set.isUserDisabled('ann')]).toEqual([disabled, disabled]);
  });
});

describe('the bound of an issuer', () => {
  test('rises and never falls, and is never in the future', async () => {
    const { revocations, set } = await follow();
    await revocations.raiseIssuerNotBefore(2000, 'tester', 'a test');
    expect((await revocations.raiseIssuerNotBefore(1000, 'tester', 'a test')).notBefore).toBe(2000);
    const before = second();
    const { notBefore } = await revocations.raiseIssuerNotBefore(before + 3600, 'tester', 'a test');
    expect(notBefore).toBeGreaterThanOrEqual(before);
    expect(notBefore).toBeLessThanOrEqual(second());
    expect(set.issuerNotBefore).toBe(notBefore);
  });
});

describe('news that come another way', () => {
  const keys = ['1', '2', 'ann'];
  const change = fc.record({
    kind: fc.constantFrom('session' as const, 'token' as const, 'user' as const, 'disabled' as const, 'issuer' as const),
    key: fc.constantFrom(...keys),
    value: fc.integer({ min: 0, max: 3 }),
    seq: fc.bigInt({ min: 1n, max: 5n }),
  });
  const state = (set: RevocationSet): unknown => [
    ...keys.map((key) => [set.isSessionEnded(key), set.isTokenEnded(key), set.minimumGeneration(key), set.isUserDisabled(key)]),
    set.issuerNotBefore,
  ];

  test('late, doubled and in any order come to the same', () => {
    // One row has one value under one number.
    const told = fc.uniqueArray(change, { selector: ({ kind, key, seq }) => `${kind} ${key} ${seq}`, maxLength: 12 });
    fc.assert(
      fc.property(
        told.chain((changes) =>
          fc.tuple(fc.constant(changes), fc.shuffledSubarray([...changes, ...changes], { minLength: 2 * changes.length })),
        ),
        ([changes, otherwise]) => {
          const [one, other] = [0, 1].map(() => new RevocationSet({ database: control.database, staleMs: () => 0 }));
          for (const each of changes) one?.note(each);
          for (const each of otherwise) other?.note(each);
          if (one === undefined || other === undefined) throw new Error('two sets were made');
          expect(state(other)).toEqual(state(one));
        },
      ),
    );
  });

  test('an old word does not keep out a user who is let in again', async () => {
    const { revocations, set } = await follow();
    const { seq } = await revocations.disableUser('ann', 'tester', 'a test');
    await revocations.enableUser('ann', 'tester', 'a test');
    set.note({ kind: 'disabled', key: 'ann', value: 1, seq });
    expect(set.isUserDisabled('ann')).toBe(false);
    const anew = await restarted();
    anew.note({ kind: 'disabled', key: 'ann', value: 1, seq });
    expect(anew.isUserDisabled('ann')).toBe(false);
  });

  test('a judgement of before is made again', () => {
    const set = new RevocationSet({ database: control.database, staleMs: () => 0 });
    const { version } = set;
    set.note({ kind: 'token', key: 'a', value: 0, seq: 1n });
    expect(set.version).toBeGreaterThan(version);
  });
});

describe('what is over', () => {
  /** A clock that is set by hand; the monotonic one goes with it unless it is set back. */
  class HandClock {
    wall: number = Date.now();
    mono = 0;
    now = (): number => this.wall;
    monotonic = (): number => this.mono;
  }

  const write = (kind: 'session' | 'session_tokens' | 'family' | 'token', key: string, expireInMs: number): Promise<unknown> =>
    control.database.query(
      `WITH n AS (INSERT INTO feed_topic AS t (topic, seq) VALUES ('revocation', 1) ON CONFLICT (topic) DO UPDATE SET seq = t.seq + 1 RETURNING seq)
       INSERT INTO revocation (kind, key, value, reason, expire_time, seq) SELECT $1, $2, CASE WHEN $1 = 'session_tokens' THEN (wherry_now() + $3 - $4) / 1000 ELSE 0 END, 'test', wherry_now() + $3, seq FROM n`,
      [kind, key, expireInMs, KEEP_MS],
    );
  const HOUR_MS = 3_600_000;

  test('is forgotten, an hour and more after its time', async () => {
    await write('session', '1', -2 * HOUR_MS);
    await write('token', 'a', -2 * HOUR_MS);
    await write('session', '2', -HOUR_MS);
    await write('token', 'b', KEEP_MS);
    await write('session_tokens', '3', -2 * HOUR_MS);
    await write('family', '5', -2 * HOUR_MS);
    await write('family', '6', -HOUR_MS);
    await write('session_tokens', '4', -HOUR_MS);
    const clock = new HandClock();
    const set = new RevocationSet({ database: control.database, staleMs: () => 0, clock });
    const reached = await set.load(0n);
    clock.mono += 61_000;
    await set.load(reached);
    expect([set.isSessionEnded('1'), set.isTokenEnded('a'), set.isSessionEnded('2'), set.isTokenEnded('b')]).toEqual([
      false,
      false,
      true,
      true,
    ]);
    expect([set.sessionTokensNotBefore('3'), set.sessionTokensNotBefore('4') > 0, set.size.sessionTokens]).toEqual([0, true, 1]);
    expect([set.isFamilyEnded('5'), set.isFamilyEnded('6'), set.size.families]).toEqual([false, true, 1]);
  });

  test.each([HOUR_MS, -HOUR_MS, 24 * HOUR_MS])('a clock that jumps by %i ms makes it forget nothing early', async (jump) => {
    await write('session', '1', KEEP_MS);
    await write('token', 'a', KEEP_MS);
    const clock = new HandClock();
    const set = new RevocationSet({ database: control.database, staleMs: () => 0, clock });
    const reached = await set.load(0n);
    clock.wall += jump;
    clock.mono += 61_000;
    await set.load(reached);
    expect([set.isSessionEnded('1'), set.isTokenEnded('a')]).toEqual([true, true]);
  });

  test('of a process that knows nothing of tokens is kept for as long as their issuer has said, and never shorter again', async () => {
    const DAY_MS = 86_400_000;
    const knowing = new Revocations({ database: control.database, set: await restarted(), keepMs: DAY_MS, acknowledged: async () => true });
    const { revocations } = await follow();
    await knowing.declareKeep();
    await revocations.declareKeep();
    await revocations.endSession(end(1n));
    await revocations.markDrained(1n);
    await revocations.endToken({ jti: 'a', exp: second() });
    await revocations.endSessionChange({ id: 2n });
    const { rows } = await control.database.query<{ left: bigint }>('SELECT expire_time - wherry_now() AS left FROM revocation');
    expect(rows).toHaveLength(3);
    for (const { left } of rows) expect(Number(left)).toBeGreaterThan(DAY_MS - 3_600_000);
  });

  test('is deleted, and what may still be needed is not', async () => {
    const { revocations } = await follow();
    await write('token', 'old', -1);
    await revocations.endToken({ jti: 'dead', exp: second() - 1 - KEEP_MS / 1000 });
    await revocations.endToken({ jti: 'new', exp: second() });
    await revocations.endSession(end(1n));
    await revocations.disableUser('ann', 'tester', 'a test');
    expect(await revocations.sweep()).toBe(2);
    const set = await restarted();
    expect([set.isTokenEnded('old'), set.isTokenEnded('new'), set.isSessionEnded('1'), set.isUserDisabled('ann')]).toEqual([
      false,
      true,
      true,
      true,
    ]);
  });
});

describe('more than may be held', () => {
  test('makes the set stale for good, and fresh when there is room again', async () => {
    const follower = await follow({ maxRecords: 10 });
    const { revocations, set, instance } = follower;
    const last = await Promise.all(Array.from({ length: 11 }, (_, i) => revocations.endSession(end(BigInt(i)))));
    // What is not held may have ended: whoever asks for a bound must not believe the set, and the process stays ready.
    expect([set.size.sessions, set.size.overfull, set.staleMs > 1e9, Number.isFinite(set.staleMs)]).toEqual([10, true, true, true]);
    await revocations.propagated(last[0] ?? 0n);
    expect(set.staleMs).toBeGreaterThan(1e9);
    expect(instance.staleMs('revocation')).toBeLessThan(1e9);
    // Of the eleven, which all have the one number, the last by name finds no room.
    await control.database.query(`UPDATE revocation SET drained = true, expire_time = wherry_now() - 7200000 WHERE key::int < 6`);
    const clock = { wall: Date.now(), mono: 0, now: () => Date.now(), monotonic: () => clock.mono };
    const anew = new RevocationSet({ database: control.database, staleMs: () => 0, maxRecords: 10, clock });
    const reached = await anew.load(0n);
    expect([anew.size.overfull, anew.isSessionEnded('9')]).toEqual([true, false]);
    clock.mono += 61_000;
    await control.database.query('DELETE FROM revocation WHERE key::int < 6');
    await anew.load(reached);
    expect([anew.size.overfull, anew.size.sessions, anew.staleMs]).toEqual([false, 5, 0]);
    const ended = Array.from({ length: 11 }, (_, i) => i).filter((i) => anew.isSessionEnded(String(i)));
    expect(ended).toEqual([6, 7, 8, 9, 10]);
  });
});

test('a load that comes in pages misses nothing that is written meanwhile', async () => {
  await control.database.query(
    `INSERT INTO revocation (kind, key, value, reason, expire_time, seq) SELECT 'session', n::text, 0, 'test', wherry_now() + 600000, 1 + n / 3 FROM generate_series(1, 13000) n`,
  );
  await control.database.query(`INSERT INTO feed_topic VALUES ('revocation', 5000)`);
  const writer = await follow();
  const set = new RevocationSet({ database: control.database, staleMs: () => 0 });
  const loading = set.load(0n);
  const during = Array.from({ length: 20 }, (_, i) => writer.revocations.endSession(end(BigInt(20_000 + i))));
  // Rows that move to a higher number while they are read.
  const moved = writer.revocations.endSession(end(1n));
  const reached = await loading;
  await Promise.all([...during, moved]);
  await set.load(reached);
  expect(set.size.sessions).toBe(13_020);
});
