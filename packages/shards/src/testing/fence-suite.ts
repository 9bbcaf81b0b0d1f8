import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { Dialect } from '../dialect.ts';
import type { FencedWrite, WriteOutcome, Written } from '../fenced-write.ts';
import { beginClosing, commitSide, readSlotMap } from '../slot-map-changes.ts';
import { SlotMap } from '../slot-map.ts';
import { closeOnShard, openOnShard } from '../slot-owners.ts';
import { startCluster, type Cluster } from './cluster.ts';
import { FORMS, itemTable, itemWriter, type Form, type Row } from './items.ts';

/** Of a closing that no test lets run out. */
const LONG_MS = 3_600_000;

const SLOTS = [0, 1, 2, 3, 4, 5, 6, 7];

/** What holds of fenced writes on every dialect. Control is the PostgreSQL of the project; the shards are on `shardServerUrl`. */
export function fenceSuite(shardServerUrl: () => string): void {
  const dialect = (): Dialect => cluster.shards.shard(0).dialect;
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster(inject('postgresUrl'), { shardServerUrl: shardServerUrl(), shardCount: 1, poolSize: 10 });
    await cluster.shards.shard(0).database.query(itemTable(dialect()));
  });
  afterAll(async () => cluster[Symbol.asyncDispose]());

  const writer = (form: Form, map: SlotMap): FencedWrite<Row> => itemWriter(form, cluster.shards, map);

  test.each(FORMS)(
    '%s: with 8 writers and a closer, nothing is written under a former epoch or while closed, and all that was acknowledged is there',
    async (form) => {
      const { control, shards } = cluster;
      const shard = shards.shard(0).database;
      await shard.query('TRUNCATE TABLE item');
      if (form === 'update')
        for (const slot of SLOTS)
          for (let id = 0; id <= 40; id++)
            await shard.query('INSERT INTO item (slot, id, epoch, writes) VALUES ($1, $2, 0, 0)', [slot, id]);
      let acknowledged = 0;
      let refused = 0;
      let closings = 0;
      let running = true;
      let fresh = 1000n;

      const write = async (seed: number): Promise<void> => {
        // Each writer has a map of its own that it seldom reloads: it goes on under old epochs, as a stalled process does.
        const map = new SlotMap({ control });
        await map.refresh();
        const fenced = writer(form, map);
        for (let turn = seed; running; turn++) {
          const rows = SLOTS.filter((slot) => (slot + turn) % 3 > 0).flatMap((slot) => {
            const id = form === 'insert' ? fresh++ : BigInt((turn * 7 + slot) % 40);
            return [{ slot, id }];
          });
          const results = await Promise.all(rows.map(async (row) => fenced.underEpoch(row, map.epochOf(row.slot))));
          for (const { outcome } of results) {
            if (outcome === 'applied') acknowledged++;
            else if (outcome === 'not_owned') refused++;
            else throw new Error(`unexpected ${outcome}`);
          }
          if (turn % 5 === 0) await map.refresh();
        }
      };

      const close = async (): Promise<void> => {
        // As long as it takes until both outcomes were often seen: how often a round sees them depends on the machine.
        for (; closings < 24 || acknowledged <= 500 || refused <= 100; closings++) {
          const slots = SLOTS.filter((slot) => (slot + closings) % 2 === 0);
          const epochs = (await readSlotMap(control, slots)).map(({ epoch }) => epoch);
          const closing = await beginClosing(control, slots, epochs, LONG_MS);
          // No acknowledgement is waited for: the fence alone must hold.
          expect(await closeOnShard(shard, slots, epochs, closing.seq)).toBe(slots.length);
          const state = async (): Promise<unknown> =>
            (await shard.query(`SELECT count(*) AS items, sum(writes) AS writes FROM item WHERE slot IN (${slots.join(',')})`)).rows[0];
          const before = await state();
          for (let i = 0; i < 5; i++) expect(await state()).toEqual(before);
          const seq = await commitSide(control, closing, { side: closings % 4 < 2 ? 'target' : 'source' });
          expect(await state()).toEqual(before);
          await openOnShard(
            shard,
            slots,
            epochs.map((epoch) => epoch + 1),
            'target',
            seq,
          );
        }
      };

      const writers = Promise.all(Array.from({ length: 8 }, async (_, i) => write(i * 1000)));
      await close().finally(() => (running = false));
      await writers;
      const { rows } = await shard.query<{ writes: bigint; stale: bigint }>('SELECT sum(writes) AS writes, sum(stale) AS stale FROM item');
      expect([Number(rows[0]?.writes), Number(rows[0]?.stale)]).toEqual([acknowledged, 0]);
    },
  );

  test('rows of two epochs of one slot in one batch: only those of the epoch in force are written', async () => {
    const { shards, control } = cluster;
    const { counts, database } = shards.shard(0);
    await database.query('TRUNCATE TABLE item');
    const [entry] = await readSlotMap(control, [9]);
    const epoch = entry?.epoch ?? 0;
    // Each under the epoch that its writer knows; the map of this writer says what it is made to say.
    let at = 0;
    const map = { epochOf: () => at, shardOf: () => 0 } as unknown as SlotMap;
    const fenced = writer('upsert', map);
    const write = async (id: bigint, under: number): Promise<Written> => fenced.underEpoch({ slot: 9, id }, (at = under));
    const before = counts.statements;
    const outcomes = await Promise.all([write(1n, epoch), write(2n, epoch - 1), write(3n, epoch + 1)]);
    expect(counts.statements - before).toBe(1);
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(['applied', 'not_owned', 'not_owned']);
    const { rows } = await database.query<{ id: bigint }>('SELECT id FROM item');
    expect(rows).toEqual([{ id: 1n }]);
  });

  test('under the current epoch, a write follows the slot; its writer may decide anew', async () => {
    const { control, shards } = cluster;
    const map = new SlotMap({ control });
    await map.refresh();
    const fenced = writer('upsert', map);
    const move = async (slot: number): Promise<void> => {
      const [entry] = await readSlotMap(control, [slot]);
      const closing = await beginClosing(control, [slot], [entry?.epoch ?? 0], LONG_MS);
      await closeOnShard(shards.shard(0).database, [slot], [entry?.epoch ?? 0], closing.seq);
      // The shard is not told: whoever writes next carries the entry over.
      await commitSide(control, closing, { side: 'target' });
    };
    await move(20);
    const moved: string[] = [];
    const onMoved = ({ epoch, side }: { epoch: number; side: string }): boolean => moved.push(`${epoch} ${side}`) > 1;
    const outcome = async (): Promise<WriteOutcome> => (await fenced.underCurrent({ slot: 20, id: 1n }, { onMoved })).outcome;
    expect(await outcome()).toBe('not_owned');
    expect(await outcome()).toBe('applied');
    await move(20);
    expect(await outcome()).toBe('applied');
    expect(moved).toEqual(['2 target', '3 target']);
  });

  test('a key that comes twice at once is written twice, one after the other', async () => {
    const fenced = writer('upsert', cluster.map);
    await cluster.map.refresh();
    const results = await Promise.all(Array.from({ length: 5 }, async () => fenced.underCurrent({ slot: 30, id: 1n })));
    expect(results.map(({ outcome }) => outcome)).toEqual(Array.from({ length: 5 }, () => 'applied'));
    const { rows } = await cluster.shards.shard(0).database.query('SELECT writes FROM item WHERE slot = 30');
    expect(rows).toEqual([{ writes: 5 }]);
  });
}
