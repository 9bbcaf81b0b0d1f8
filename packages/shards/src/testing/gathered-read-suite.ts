import { PATIENT_MS } from '@wherry/embedded/testing';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { GatheredRead, type SlotKey } from '../gathered-read.ts';
import type { BinaryRow } from '../rows/binary-row.ts';
import { SlotFollower } from '../slot-follower.ts';
import { beginClosing, commitSide, readSlotMap } from '../slot-map-changes.ts';
import { SlotMap } from '../slot-map.ts';
import { slotOf } from '../slot.ts';
import { startCluster, type Cluster } from './cluster.ts';

/** Of a closing that no test lets run out. */
const LONG_MS = 3_600_000;

const IDS = Array.from({ length: 300 }, (_, i) => BigInt(i * 7919));

/** What holds of look-ups on every dialect. Control is the PostgreSQL of the project; the shards are on `shardServerUrl`. */
export function gatheredReadSuite(shardServerUrl: () => string): void {
  let cluster: Cluster;
  let reader: GatheredRead<SlotKey, string | undefined>;
  beforeAll(async () => {
    cluster = await startCluster(inject('postgresUrl'), { shardCount: 3, shardServerUrl: shardServerUrl() });
    for (const [index, { database }] of cluster.shards.all.entries()) {
      await database.query('CREATE TABLE item (slot int, id bigint, value varchar(99) NOT NULL, PRIMARY KEY (slot, id))');
      // A row on a shard that does not own its slot must never be answered.
      for (const id of IDS)
        await database.query('INSERT INTO item VALUES ($1, $2, $3)', [
          slotOf(id),
          id,
          index === cluster.map.shardOf(slotOf(id)) ? `v${id}` : 'foreign',
        ]);
    }
    reader = readerWith(cluster.map);
  });
  afterAll(async () => cluster[Symbol.asyncDispose]());

  function readerWith(map: SlotMap, maxKeys = 200): GatheredRead<SlotKey, string | undefined> {
    const { shards } = cluster;
    const decode = (row: BinaryRow): string => row.text();
    return new GatheredRead<SlotKey, string | undefined>({
      name: 'item-get',
      table: 'item',
      columns: ['value'],
      decode,
      absent: undefined,
      shards,
      map,
      follower: new SlotFollower({ map, shards }),
      maxKeys,
      deadlineMs: PATIENT_MS,
    });
  }

  const keyOf = (id: bigint): SlotKey => ({ slot: slotOf(id), id });

  test('any mixture of keys, repeated and missing ones too, is answered each with its own row', async () => {
    const small = readerWith(cluster.map, 7);
    const id = fc.oneof(fc.constantFrom(...IDS), fc.bigInt({ min: 10_000_000n, max: 2n ** 63n - 1n }));
    await fc.assert(
      fc.asyncProperty(fc.array(id, { maxLength: 60 }), async (ids) => {
        const expected = ids.map((each) => (IDS.includes(each) ? `v${each}` : undefined));
        expect(await reader.getMany(ids.map(keyOf))).toEqual(expected);
        expect(await small.getMany(ids.map(keyOf))).toEqual(expected);
      }),
      { numRuns: 60 },
    );
  });

  test('what is asked for at once is one statement per shard', async () => {
    const statements = (): number => cluster.shards.all.reduce((sum, { counts }) => sum + counts.statements, 0);
    const before = statements();
    await reader.getMany(IDS.slice(0, 150).map(keyOf));
    expect(statements() - before).toBe(3);
  });

  test('a process with an old map reads under the new epoch, also before the shard was told', async () => {
    const { control } = cluster;
    const old = new SlotMap({ control });
    await old.refresh();
    const keys = IDS.slice(0, 40).map(keyOf);
    const slots = [...new Set(keys.map(({ slot }) => slot))];
    const epochs = (await readSlotMap(control, slots))
      .toSorted((a, b) => slots.indexOf(a.slot) - slots.indexOf(b.slot))
      .map(({ epoch }) => epoch);
    await commitSide(control, await beginClosing(control, slots, epochs, LONG_MS), { side: 'target' });
    await cluster.map.refresh();
    expect(await readerWith(cluster.map).getMany(keys)).toEqual(keys.map(({ id }) => `v${id}`));
    expect(await readerWith(old).getMany(keys)).toEqual(keys.map(({ id }) => `v${id}`));
  });

  test('a row that cannot be decoded fails alone', async () => {
    const { shards, map } = cluster;
    const bad = IDS[5];
    const strict = new GatheredRead<SlotKey, string | undefined>({
      name: 'item-get',
      table: 'item',
      columns: ['value'],
      decode: (row, { id }) => {
        if (id === bad) throw new Error('no JSON');
        return row.text();
      },
      absent: undefined,
      shards,
      map,
      follower: new SlotFollower({ map, shards }),
      deadlineMs: PATIENT_MS,
    });
    const answers = await Promise.allSettled(IDS.slice(0, 20).map(async (id) => strict.get(keyOf(id))));
    expect(answers.map((answer) => (answer.status === 'fulfilled' ? answer.value : String(answer.reason)))).toEqual(
      IDS.slice(0, 20).map((id) => (id === bad ? 'Error: no JSON' : `v${id}`)),
    );
  });
}
