import { PATIENT_MS } from '@wherry/embedded/testing';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { FENCE_CODES, fencedSql } from './fence.ts';
import { ANSWER_OFFSET, FencedWrite, type FencedWriteOptions, type WriteOutcome } from './fenced-write.ts';
import { asPostgres } from './shard-database.ts';
import { SlotFollower } from './slot-follower.ts';
import { beginClosing, commitSide, readSlotMap } from './slot-map-changes.ts';
import { SlotMap } from './slot-map.ts';
import { closeOnShard, openOnShard } from './slot-owners.ts';
import { startCluster, type Cluster } from './testing/cluster.ts';

interface Row {
  readonly slot: number;
  readonly id: bigint;
}

/** A row counts the writes that it took, and those that came under an epoch that was over. */
const TABLE = `CREATE TABLE item (slot int, id bigint, epoch bigint NOT NULL, writes int NOT NULL DEFAULT 1, stale int NOT NULL DEFAULT 0, PRIMARY KEY (slot, id))`;
const TOOK = 'epoch = greatest(s.epoch, o.epoch), writes = s.writes + 1, stale = s.stale + (s.epoch > o.epoch)::int';

/** Every form of statement that the code writes with. */
const FORMS: Record<string, Pick<FencedWriteOptions<Row>, 'write' | 'refusal'>> = {
  upsert: {
    write: `INSERT INTO item AS s (slot, id, epoch) SELECT slot, id, epoch FROM o
      ON CONFLICT (slot, id) DO UPDATE SET ${TOOK.replaceAll('o.epoch', 'excluded.epoch')} RETURNING s.slot, s.id`,
    refusal: '0',
  },
  insert: {
    write: `INSERT INTO item AS s (slot, id, epoch) SELECT slot, id, epoch FROM o ON CONFLICT (slot, id) DO NOTHING RETURNING s.slot, s.id`,
    refusal: `(SELECT ${FENCE_CODES.older} FROM item t WHERE t.slot = k.slot AND t.id = k.id)`,
  },
  update: {
    write: `UPDATE item s SET ${TOOK} FROM o WHERE s.slot = o.slot AND s.id = o.id RETURNING s.slot, s.id`,
    refusal: `coalesce((SELECT 0 FROM item t WHERE t.slot = k.slot AND t.id = k.id), ${FENCE_CODES.older})`,
  },
};

const UPSERT = FORMS['upsert'] ?? { write: '', refusal: '' };
/** Of a closing that no test lets run out. */
const LONG_MS = 3_600_000;

const SLOTS = [0, 1, 2, 3, 4, 5, 6, 7];

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster(inject('postgresUrl'), { shardCount: 1, poolSize: 10 });
  await cluster.shards.shard(0).database.query(TABLE);
});
afterAll(async () => cluster[Symbol.asyncDispose]());

function writer(form: string, map: SlotMap): FencedWrite<Row> {
  const { shards } = cluster;
  const sql = FORMS[form] ?? { write: '', refusal: '' };
  return new FencedWrite<Row>({
    name: `item-${form}`,
    columns: [],
    value: () => null,
    ...sql,
    shards,
    map,
    deadlineMs: PATIENT_MS,
    follower: new SlotFollower({ map, shards }),
  });
}

const contents = async (): Promise<unknown> =>
  (
    await cluster.shards
      .shard(0)
      .database.query('SELECT count(*), sum(writes), sum(stale), md5(string_agg(t::text, $1 ORDER BY slot, id)) FROM item t', [','])
  ).rows[0];

test.each(Object.keys(FORMS))(
  '%s: with 8 writers and a closer, nothing is written under a former epoch or while closed, and all that was acknowledged is there',
  async (form) => {
    const { control, shards } = cluster;
    const shard = shards.shard(0).database;
    await shard.query('TRUNCATE item');
    if (form === 'update')
      await shard.query('INSERT INTO item SELECT slot, id, 0, 0 FROM unnest($1::int[]) slot, generate_series(0, 40) id', [SLOTS]);
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
          (await shard.query('SELECT count(*), sum(writes) FROM item WHERE slot = ANY ($1)', [slots])).rows[0];
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
    expect(rows[0]).toEqual({ writes: BigInt(acknowledged), stale: 0n });
  },
);

test.each(Object.keys(FORMS))('%s: a statement that began before a closing and reaches the fence after it writes nothing', async (form) => {
  const { control, shards } = cluster;
  const shard = shards.shard(0).database;
  await shard.query('TRUNCATE item');
  await shard.query('INSERT INTO item VALUES (10, 1, 1)');
  const [entry] = await readSlotMap(control, [10]);
  const epoch = entry?.epoch ?? 0;
  const [gate, writer] = [await asPostgres(shard).connect(), await asPostgres(shard).connect()];
  try {
    await gate.query('SELECT pg_advisory_lock(77)');
    // The snapshot is taken, then the statement waits in front of its first row, as one does that loses its processor.
    const sql = FORMS[form] ?? { write: '', refusal: '' };
    const text = fencedSql({ columns: [], ...sql, refusal: '1' }).replace(
      'SELECT * FROM unnest(',
      'SELECT k.* FROM (SELECT pg_advisory_lock_shared(77) OFFSET 0) gate, unnest(',
    );
    const values = ['{10}', `{${epoch}}`, form === 'insert' ? '{2}' : '{1}'];
    const late = writer.query<unknown[]>({ text, values, rowMode: 'array' });
    const waiting =
      'SELECT FROM pg_locks WHERE locktype = $1 AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())';
    while ((await gate.query(waiting, ['advisory'])).rowCount === 0);
    const closing = await beginClosing(control, [10], [epoch], LONG_MS);
    expect(await closeOnShard(shard, [10], [epoch], closing.seq)).toBe(1);
    const before = await contents();
    await gate.query('SELECT pg_advisory_unlock(77)');
    expect((await late).rows).toMatchObject([{ 1: false, 2: false }]);
    expect(await contents()).toEqual(before);
    await openOnShard(shard, [10], [epoch + 1], 'target', await commitSide(control, closing, { side: 'target' }));
  } finally {
    gate.release(true);
    writer.release(true);
  }
});

test('rows of two epochs of one slot in one batch: only those of the epoch in force are written', async () => {
  const { shards, control } = cluster;
  const shard = shards.shard(0);
  await shard.database.query('TRUNCATE item');
  const [entry] = await readSlotMap(control, [9]);
  const epoch = entry?.epoch ?? 0;
  const text = fencedSql({ columns: [], ...UPSERT, answer: ['k.id::int'] });
  const values = ['{9,9,9}', `{${epoch},${epoch - 1},${epoch + 1}}`, '{1,2,3}'];
  const rows = await shard.queryArrays({ name: 'two-epochs', text, values });
  expect(rows.map((row) => [row[ANSWER_OFFSET], row[1], row[2]])).toEqual([
    [1, true, true],
    [2, false, false],
    [3, false, false],
  ]);
  expect(await contents()).toMatchObject({ count: 1n });
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
