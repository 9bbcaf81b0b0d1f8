import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startMariadb } from '@wherry/embedded';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { batchDocument } from './mysql/batch-document.ts';
import { KEY_COLUMNS, fencedPacket } from './mysql/fenced-packet.ts';
import { asMysql } from './shard-database.ts';
import { beginClosing, commitSide, readSlotMap } from './slot-map-changes.ts';
import { closeOnShard, openOnShard } from './slot-owners.ts';
import { untilBlocked } from './testing/blocked.ts';
import { startCluster, type Cluster } from './testing/cluster.ts';
import { fenceSuite } from './testing/fence-suite.ts';
import { MYSQL_FORMS, itemTable, itemWriter } from './testing/items.ts';
import { openTransaction } from './testing/open-transaction.ts';

/** Of a closing that no test lets run out. */
const LONG_MS = 3_600_000;

fenceSuite(() => inject('mysqlUrl'));

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster(inject('postgresUrl'), { shardServerUrl: inject('mysqlUrl'), shardCount: 1 });
  await cluster.shards.shard(0).database.query(itemTable('mysql'));
});
afterAll(async () => cluster[Symbol.asyncDispose]());

const contents = async (): Promise<unknown> => (await cluster.shards.shard(0).database.query('SELECT * FROM item ORDER BY slot, id')).rows;

type MysqlForm = keyof typeof MYSQL_FORMS;
const FORMS = Object.keys(MYSQL_FORMS) as MysqlForm[];

/** One row of slot 10 under `epoch`: the message and its values. */
function oneRow(form: MysqlForm, epoch: number): { readonly text: string; readonly values: readonly unknown[] } {
  const document = batchDocument(KEY_COLUMNS, [[10, epoch, form === 'insert' ? 2n : 1n]]);
  return { text: fencedPacket({ columns: [], ...MYSQL_FORMS[form] }), values: [document, 4711n] };
}

/** Ordinal, owned, written of the one row. */
async function sent(text: string, values: readonly unknown[]): Promise<unknown> {
  const answer = await asMysql(cluster.shards.shard(0).database)?.run(text, values);
  return answer?.rows.map((row) => row.slice(0, 3).join(' '));
}

async function fresh(): Promise<number> {
  const { database } = cluster.shards.shard(0);
  await database.query('TRUNCATE TABLE item');
  await database.query('INSERT INTO item (slot, id, epoch) VALUES (10, 1, 1)');
  return (await readSlotMap(cluster.control, [10]))[0]?.epoch ?? 0;
}

test.each(FORMS)('%s: a message that began before a closing and reaches the fence after it writes nothing', async (form) => {
  const { control, shards } = cluster;
  const shard = shards.shard(0).database;
  const epoch = await fresh();
  const gate = await openTransaction(shard);
  await gate.query("SELECT GET_LOCK('gate', 60)");
  // The snapshot of the transaction is taken, then it waits in front of the write, as one does that loses its processor.
  const { text, values } = oneRow(form, epoch);
  const stalled = "START TRANSACTION WITH CONSISTENT SNAPSHOT; SELECT * FROM item; DO GET_LOCK('gate', 60), RELEASE_LOCK('gate')";
  const late = sent(text.replace('START TRANSACTION', stalled), values);
  const waiting = "SELECT 1 FROM information_schema.processlist WHERE db = DATABASE() AND state = 'User lock'";
  while ((await gate.query(waiting)).rowCount === 0);
  const closing = await beginClosing(control, [10], [epoch], LONG_MS);
  expect(await closeOnShard(shard, [10], [epoch], closing.seq)).toBe(1);
  const before = await contents();
  await gate.query("SELECT RELEASE_LOCK('gate')");
  expect(await late).toEqual(['1 0 0']);
  expect(await contents()).toEqual(before);
  await gate.end('COMMIT');
  await openOnShard(shard, [10], [epoch + 1], 'target', await commitSide(control, closing, { side: 'target' }));
});

test.each(FORMS)('%s: a message that meets a closing that is not committed waits for it, and writes nothing', async (form) => {
  const shard = cluster.shards.shard(0).database;
  const epoch = await fresh();
  const closer = await openTransaction(shard);
  await closer.query("UPDATE slot_owner SET state = 'closing' WHERE slot = 10");
  const { text, values } = oneRow(form, epoch);
  const late = sent(text, values);
  await untilBlocked(shard);
  const before = await contents();
  await closer.end('COMMIT');
  expect(await late).toEqual(['1 0 0']);
  expect(await contents()).toEqual(before);
  await shard.query("UPDATE slot_owner SET state = 'open' WHERE slot = 10");
});

test.each(FORMS)('%s: a closing waits for a message that has passed the fence and is not committed', async (form) => {
  const { control, shards } = cluster;
  const shard = shards.shard(0).database;
  const epoch = await fresh();
  const writer = await openTransaction(shard);
  const { text, values } = oneRow(form, epoch);
  await writer.query(text.replace('START TRANSACTION;', '').replace(/;\s*COMMIT$/, ''), values);
  const closing = await beginClosing(control, [10], [epoch], LONG_MS);
  let closed = false;
  const closer = closeOnShard(shard, [10], [epoch], closing.seq).then(() => (closed = true));
  await untilBlocked(shard);
  expect(closed).toBe(false);
  const before = await contents();
  await writer.end('COMMIT');
  await closer;
  expect(await contents()).not.toEqual(before);
  await openOnShard(shard, [10], [epoch + 1], 'target', await commitSide(control, closing, { side: 'target' }));
});

test('a message that is sent again because its answer was lost answers what it has written', async () => {
  const { text, values } = oneRow('insert', await fresh());
  for (let i = 0; i < 2; i++) expect(await sent(text, values)).toEqual(['1 1 1']);
  expect(await sent(text, [values[0], 4712n])).toEqual(['1 1 0']);
  expect(await contents()).toMatchObject([{ id: 1n }, { id: 2n, writes: 1 }]);
});

test('rows that another column names are all written, from what was there before; one of the batch that names none is told', async () => {
  const epoch = await fresh();
  const { database } = cluster.shards.shard(0);
  await database.query('INSERT INTO item (slot, id, epoch, writes) VALUES (10, 2, 1, 5), (10, 3, 2, 1), (11, 4, 1, 1)');
  const text = fencedPacket({ columns: [], ...MYSQL_FORMS['update-by'] });
  const document = batchDocument(KEY_COLUMNS, [
    [10, epoch, 1n],
    [10, epoch, 7n],
  ]);
  expect(await sent(text, [document, 4711n])).toEqual(['1 1 1', '2 1 0']);
  expect(await contents()).toMatchObject([{ writes: 1 + 7 }, { writes: 5 + 7 }, { writes: 1 }, { writes: 1 }]);
  expect(await sent(text, [document, 4712n])).toEqual(['1 1 1', '2 1 0']);
  expect(await contents()).toMatchObject([{ writes: 8 + 21 }, { writes: 12 + 21 }, { writes: 1 }, { writes: 1 }]);
});

test('what is deleted is told once; sent again, and where the condition does not hold, nothing is', async () => {
  const epoch = await fresh();
  await cluster.shards.shard(0).database.query('INSERT INTO item (slot, id, epoch) VALUES (10, 2, 1000000)');
  const text = fencedPacket({ columns: [], ...MYSQL_FORMS.delete });
  const document = batchDocument(
    KEY_COLUMNS,
    [1n, 2n, 3n].map((id) => [10, epoch, id]),
  );
  expect(await sent(text, [document, 4711n])).toEqual(['1 1 1', '2 1 0', '3 1 0']);
  expect(await contents()).toMatchObject([{ id: 2n }]);
  expect(await sent(text, [document, 4711n])).toEqual(['1 1 0', '2 1 0', '3 1 0']);
});

test('when the server is killed in the middle, each write that was acknowledged is there, once, and is told as written', async () => {
  const server = await startMariadb();
  try {
    await using own = await startCluster(inject('postgresUrl'), {
      shardServerUrl: server.url('mysql'),
      shardCount: 1,
      breaker: { threshold: 1_000_000 },
    });
    const shard = own.shards.shard(0);
    await shard.database.query(itemTable('mysql'));
    const fenced = itemWriter('insert', own.shards, own.map);
    const outcomes = new Map<bigint, string>();
    let next = 0n;
    let running = true;
    const write = async (): Promise<void> => {
      while (running) {
        const id = next++;
        outcomes.set(id, (await fenced.underCurrent({ slot: Number(id % 50n), id })).outcome);
      }
    };
    const writers = Promise.all(Array.from({ length: 40 }, write));
    for (let round = 1; round <= 3; round++) {
      const { size } = outcomes;
      while (outcomes.size < size + 200) await new Promise((resolve) => setImmediate(resolve));
      process.kill(Number(readFileSync(join(server.folder, 'pid'), 'utf8')), 'SIGKILL');
      await server.pause();
      await server.start();
    }
    running = false;
    await writers;
    // A try whose answer was lost had written: told by its mark, and not as somebody else's.
    expect(new Set(outcomes.values())).toEqual(new Set(['applied']));
    expect(shard.counts.retries).toBeGreaterThan(0);
    const { rows } = await shard.database.query<{ id: bigint; writes: number }>('SELECT id, writes FROM item ORDER BY id');
    expect(rows).toEqual([...outcomes.keys()].toSorted((a, b) => (a < b ? -1 : 1)).map((id) => ({ id, writes: 1 })));
  } finally {
    await server.stop();
  }
});
