import { PATIENT_MS } from '@wherry/embedded/testing';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { GatheredRead, type SlotKey } from './gathered-read.ts';
import { KnownOwners } from './known-owners.ts';
import { asPostgres } from './shard-database.ts';
import { SlotFollower } from './slot-follower.ts';
import { slotOf } from './slot.ts';
import { startCluster, type Cluster } from './testing/cluster.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster(inject('postgresUrl'), { shardCount: 2 });
  for (const { database } of cluster.shards.all) {
    await database.query('CREATE TABLE item (slot int, id bigint, value text NOT NULL, PRIMARY KEY (slot, id))');
  }
});
afterAll(async () => cluster[Symbol.asyncDispose]());

function readerWith(deadlineMs: number): GatheredRead<SlotKey, string> {
  const { shards, map } = cluster;
  return new GatheredRead<SlotKey, string>({
    name: 'item-get',
    table: 'item',
    columns: ['value'],
    decode: (row) => row.text(),
    absent: 'absent',
    shards,
    map,
    follower: new SlotFollower({ map, shards }),
    deadlineMs,
  });
}

async function stampOf(shard: number): Promise<number> {
  const { rows } = await cluster.shards.shard(shard).database.query<{ stamp: bigint }>('SELECT stamp FROM slot_owner_stamp');
  return Number(rows[0]?.stamp);
}

test("what is loaded are the shard's own slots and epochs", async () => {
  const owners = new KnownOwners(cluster.shards);
  for (const shard of [0, 1]) {
    expect(owners.known(shard)).toBeUndefined();
    const { epochs, stamp } = await owners.load(shard);
    expect(owners.known(shard)?.stamp).toBe(stamp);
    expect(stamp).toBe(await stampOf(shard));
    const { rows } = await cluster.shards
      .shard(shard)
      .database.query<{ slot: number; epoch: bigint }>('SELECT slot, epoch FROM slot_owner');
    expect(rows.length).toBeGreaterThan(0);
    expect([...epochs.entries()].filter(([, epoch]) => epoch !== 0)).toEqual(
      rows.toSorted((a, b) => a.slot - b.slot).map(({ slot, epoch }) => [slot, Number(epoch)]),
    );
  }
});

test.each([
  ['an owner that is inserted', "INSERT INTO slot_owner VALUES (99999, 1, 'open', 'source', 1)", true],
  ['an epoch that is raised', 'UPDATE slot_owner SET epoch = epoch + 1 WHERE slot = 99999', true],
  ['a slot that is closing', "UPDATE slot_owner SET state = 'closing' WHERE slot = 99999", false],
  ['an owner that is deleted', 'DELETE FROM slot_owner WHERE slot = 99999', true],
])('%s: does it make a new stamp?', async (_what, text, expected) => {
  const before = await stampOf(0);
  await cluster.shards.shard(0).database.query(text);
  expect((await stampOf(0)) !== before).toBe(expected);
});

test.each([
  ['an UPDATE of the slot itself', 'UPDATE slot_owner SET slot = -1 - slot'],
  ['MERGE', 'MERGE INTO slot_owner o USING (SELECT 1) k ON true WHEN MATCHED THEN UPDATE SET epoch = o.epoch + 1'],
  ['an upsert', 'INSERT INTO slot_owner TABLE slot_owner ON CONFLICT (slot) DO UPDATE SET epoch = slot_owner.epoch + 1'],
  ['TRUNCATE', 'TRUNCATE slot_owner'],
  ['a session that replicates', 'SET LOCAL session_replication_role = replica; DELETE FROM slot_owner'],
  ['a session that restores', "SELECT set_config('search_path', '', true); DELETE FROM public.slot_owner"],
])('no way to change the owners leaves the stamp: %s', async (_what, text) => {
  const before = await stampOf(0);
  const client = await asPostgres(cluster.shards.shard(0).database).connect();
  try {
    await client.query('BEGIN');
    await client.query(text);
    const { rows } = await client.query<{ stamp: bigint }>('SELECT stamp FROM public.slot_owner_stamp');
    expect(Number(rows[0]?.stamp)).not.toBe(before);
  } finally {
    await client.query('ROLLBACK');
    client.release();
  }
});

test('a change that is rolled back leaves the stamp, and one that is not committed is not seen', async () => {
  const { database } = cluster.shards.shard(0);
  const before = await stampOf(0);
  const client = await asPostgres(database).connect();
  try {
    await client.query('BEGIN');
    await client.query('UPDATE slot_owner SET epoch = epoch + 1');
    expect(await stampOf(0)).toBe(before);
    await client.query('ROLLBACK');
  } finally {
    client.release();
  }
  expect(await stampOf(0)).toBe(before);
});

test('however the owners change behind its back, a reader answers from no slot that the shard has lost', async () => {
  const { shards, map } = cluster;
  const id = 7n;
  const slot = slotOf(id);
  const shard = map.shardOf(slot);
  const { database } = shards.shard(shard);
  await database.query('INSERT INTO item VALUES ($1, $2, $3)', [slot, id, 'mine']);
  const [patient, hasty] = [readerWith(PATIENT_MS), readerWith(100)];
  expect(await patient.get({ slot, id })).toBe('mine');
  expect(await hasty.get({ slot, id })).toBe('mine');
  const { rows } = await database.query('DELETE FROM slot_owner WHERE slot = $1 RETURNING *', [slot]);
  await expect(hasty.get({ slot, id })).rejects.toMatchObject({ code: 'slot_not_owned' });
  const waiting = patient.get({ slot, id });
  await database.query('INSERT INTO slot_owner SELECT * FROM json_populate_recordset(NULL::slot_owner, $1)', [
    JSON.stringify(rows, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value)),
  ]);
  expect(await waiting).toBe('mine');
  // Another epoch than the map's is another owner as far as this reader knows.
  await database.query('UPDATE slot_owner SET epoch = epoch + 1 WHERE slot = $1', [slot]);
  await expect(hasty.get({ slot, id })).rejects.toMatchObject({ code: 'slot_not_owned' });
  await database.query('UPDATE slot_owner SET epoch = epoch - 1 WHERE slot = $1', [slot]);
  expect(await patient.get({ slot, id })).toBe('mine');
});

test('while the owners change all the time, no reader is left behind and none is answered from the wrong state', async () => {
  const { shards, map } = cluster;
  const id = 8n;
  const slot = slotOf(id);
  const { database } = shards.shard(map.shardOf(slot));
  await database.query('INSERT INTO item VALUES ($1, $2, $3)', [slot, id, 'mine']);
  // Who waited for the changes to end would be too late.
  const reader = readerWith(1);
  let stop = false;
  const others = map.shardOf(slot) === 0 ? 99_998 : 99_997;
  const changer = (async () => {
    for (let n = 0; !stop; n++) {
      await database.query(
        n % 2 === 0 ? `INSERT INTO slot_owner VALUES (${others}, 1, 'open', 'source', 1)` : `DELETE FROM slot_owner WHERE slot = ${others}`,
      );
    }
  })();
  try {
    const answers = new Set<string>();
    for (let n = 0; n < 200; n++) answers.add(await reader.get({ slot, id }));
    expect([...answers]).toEqual(['mine']);
    // Nor does a reader find its way round an owner that is gone, or has another epoch.
    await database.query('UPDATE slot_owner SET epoch = epoch + 1 WHERE slot = $1', [slot]);
    for (let n = 0; n < 20; n++) await expect(reader.get({ slot, id })).rejects.toMatchObject({ code: 'slot_not_owned' });
    await database.query('DELETE FROM slot_owner WHERE slot = $1', [slot]);
    for (let n = 0; n < 20; n++) await expect(reader.get({ slot, id })).rejects.toMatchObject({ code: 'slot_not_owned' });
  } finally {
    stop = true;
    await changer;
  }
});
