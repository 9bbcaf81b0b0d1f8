import { openWay } from '@wherry/embedded/testing';
import { abortClosing, beginClosing, closeOnShard, commitSide, readSlotMap, slotOf } from '@wherry/shards';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { beginning, newSessionId, presenting, startFamilyCluster, type FamilyCluster } from './cluster.ts';

/** What holds while slots close and move, on every dialect. Control is the PostgreSQL of the project; the shards are on `shardServerUrl`. */
export function slotsSuite(shardServerUrl: () => string): void {
  let cluster: FamilyCluster;
  beforeAll(async () => {
    cluster = await startFamilyCluster(inject('postgresUrl'), shardServerUrl());
  });
  afterAll(async () => cluster[Symbol.asyncDispose]());

  const T = 1_800_000_000_000;
  const LONG_MS = 3_600_000;

  /** Moves a slot to the other shard with its families, as a move would: closed, copied, owned there under the next epoch. */
  async function move(slot: number): Promise<void> {
    const { control } = cluster;
    for (const { epoch, shard } of await readSlotMap(control, [slot])) await moveFrom(slot, shard, epoch);
  }

  async function moveFrom(slot: number, shard: number, epoch: number): Promise<void> {
    const { control, shards } = cluster;
    const other = shards.shard(1 - shard).database;
    const closing = await beginClosing(control, [slot], [epoch], LONG_MS);
    expect(await closeOnShard(shards.shard(shard).database, [slot], [epoch], closing.seq)).toBe(1);
    const { rows } = await shards.shard(shard).database.query('SELECT * FROM token_family WHERE slot = $1', [slot]);
    for (const row of rows) {
      const values = Object.keys(row).map((_, at) => `$${at + 1}`);
      const text = `INSERT INTO token_family (${Object.keys(row).join(', ')}) VALUES (${values.join(', ')})`;
      await other.query(text, Object.values(row));
    }
    await shards.shard(shard).database.query('DELETE FROM slot_owner WHERE slot = $1', [slot]);
    await control.query('UPDATE slot_map SET shard = $2 WHERE slot = $1', [slot, 1 - shard]);
    await commitSide(control, closing, { side: 'target' });
    await other.query("INSERT INTO slot_owner (slot, epoch, state, primary_side, seq) VALUES ($1, $2, 'open', 'target', $3)", [
      slot,
      epoch + 1,
      closing.seq + 1n,
    ]);
  }

  const stateOf = async (shard: number, sessionId: bigint): Promise<unknown[]> =>
    (await cluster.shards.shard(shard).database.query('SELECT * FROM token_family WHERE session_id = $1 ORDER BY id', [sessionId])).rows;

  test('an instance whose map is old never renews where the slot was, and finds where it is', async () => {
    await using behind = await cluster.instance();
    const sessionId = newSessionId();
    const slot = slotOf(sessionId);
    const { credential } = await cluster.families.begin(beginning({ sessionId, now: T }));
    const from = behind.map.shardOf(slot);
    await move(slot);
    const left = await stateOf(from, sessionId);
    const epoch = behind.map.epochOf(slot);
    const renewal = await behind.families.renew({ credential, ...presenting({ now: T }) });
    expect(renewal).toMatchObject({ outcome: 'renewed', repeated: false });
    expect(behind.map.epochOf(slot)).toBeGreaterThan(epoch);
    expect(await stateOf(from, sessionId)).toEqual(left);
    expect(await stateOf(1 - from, sessionId)).not.toEqual(left);
    await cluster.map.refresh();
    expect(await cluster.families.renew({ credential, ...presenting({ now: T }) })).toMatchObject({ outcome: 'renewed', repeated: true });
  });

  test('an instance that is cut off from control renews nothing on a slot that was moved, nor does it begin or end there', async () => {
    await using way = await openWay(cluster.controlUrl);
    await using behind = await cluster.instance({ at: { controlUrl: way.url }, deadlineMs: 300 });
    const sessionId = newSessionId();
    const slot = slotOf(sessionId);
    const { credential } = await cluster.families.begin(beginning({ sessionId, now: T }));
    const from = behind.map.shardOf(slot);
    way.sever();
    await move(slot);
    const left = await stateOf(from, sessionId);
    const refused = { code: 'slot_not_owned' };
    await expect(behind.families.renew({ credential, ...presenting({ now: T }) })).rejects.toMatchObject(refused);
    await expect(behind.families.begin(beginning({ sessionId, now: T }))).rejects.toMatchObject(refused);
    await expect(behind.families.endOfSession(sessionId)).rejects.toMatchObject(refused);
    await expect(behind.families.end(credential)).rejects.toMatchObject(refused);
    await expect(behind.families.noteProof(sessionId, 'web', T)).rejects.toMatchObject(refused);
    await expect(behind.families.evidenceOf(sessionId)).rejects.toMatchObject(refused);
    expect(await stateOf(from, sessionId)).toEqual(left);
  });

  test('a step that was decided before the slot closed is not taken behind it: the fence meets it, and it waits', async () => {
    const { control, shards, map } = cluster;
    const sessionId = newSessionId();
    const slot = slotOf(sessionId);
    const { credential } = await cluster.families.begin(beginning({ sessionId, now: T }));
    const { epoch, shard } = map.entry(slot);
    const closing = await beginClosing(control, [slot], [epoch], LONG_MS);
    expect(await closeOnShard(shards.shard(shard).database, [slot], [epoch], closing.seq)).toBe(1);
    const before = await stateOf(shard, sessionId);
    // The map here does not know of the closing, so it is the shard that refuses.
    expect(map.entry(slot).state).toBe('open');
    const renewing = cluster.families.renew({ credential, ...presenting({ now: T }) });
    const refused = Promise.withResolvers<void>();
    const stop = map.onChange(() => refused.resolve());
    await Promise.race([refused.promise, renewing]);
    stop();
    expect(map.entry(slot).state).toBe('closing');
    expect(await stateOf(shard, sessionId)).toEqual(before);
    await abortClosing(control, closing);
    expect(await renewing).toMatchObject({ outcome: 'renewed', repeated: false });
  });

  test('families live on the shards whichever side is primary', async () => {
    for (const side of ['source', 'target'] as const) {
      const sessionId = newSessionId();
      const slot = slotOf(sessionId);
      const { control, shards, map } = cluster;
      await map.refresh();
      const { epoch, shard } = map.entry(slot);
      const { credential } = await cluster.families.begin(beginning({ sessionId, now: T }));
      const closing = await beginClosing(control, [slot], [epoch], LONG_MS);
      await closeOnShard(shards.shard(shard).database, [slot], [epoch], closing.seq);
      await commitSide(control, closing, { side });
      // Nobody tells the shard: the renewal does.
      expect(await cluster.families.renew({ credential, ...presenting({ now: T }) })).toMatchObject({ outcome: 'renewed' });
      expect(map.entry(slot)).toMatchObject({ side, epoch: epoch + 1 });
    }
  });
}
