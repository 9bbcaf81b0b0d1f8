import type { FenceColumn } from '../fence.ts';
import type { OwnerEntry } from '../slot-owners.ts';
import { batchDocument, documentTable } from './batch-document.ts';
import type { MysqlDatabase } from './mysql-database.ts';

/*
 * Owners on MySQL and MariaDB. A row is updated in its place: a writer's locking read sees what was committed last, not
 * what its snapshot shows, and its share lock is an obstacle to any UPDATE. So whoever has changed an owner has waited for
 * all writers under the former entry, and those who come later read the new one. Writers that meet the change wait for
 * its commit, which follows at once: each change is one message.
 */

const CLOSING: readonly FenceColumn[] = [
  { name: 'slot', type: 'int' },
  { name: 'epoch', type: 'bigint' },
];
const ENTRY: readonly FenceColumn[] = [
  ...CLOSING,
  { name: 'state', type: 'text' },
  { name: 'side', type: 'text' },
  { name: 'seq', type: 'bigint' },
];

const CLOSE = `START TRANSACTION;
  UPDATE ${documentTable('$1', CLOSING, 'k')} STRAIGHT_JOIN slot_owner o ON o.slot = k.slot
    SET o.state = 'closing', o.epoch = k.epoch, o.seq = $2 WHERE o.epoch <= k.epoch AND o.seq < $2;
  SELECT count(*) FROM ${documentTable('$1', CLOSING, 'k')} STRAIGHT_JOIN slot_owner o ON o.slot = k.slot
    WHERE o.state = 'closing' AND o.seq = $2 LOCK IN SHARE MODE;
  COMMIT`;

const INSTALL = `
  INSERT INTO slot_owner (slot, epoch, state, primary_side, seq) SELECT k.slot, k.epoch, k.state, k.side, k.seq FROM ${documentTable('$1', ENTRY, 'k')}
  ON DUPLICATE KEY UPDATE slot = slot_owner.slot`;

const APPLY = `
  UPDATE ${documentTable('$1', ENTRY, 'k')} STRAIGHT_JOIN slot_owner o ON o.slot = k.slot
  SET o.epoch = k.epoch, o.state = k.state, o.primary_side = k.side, o.seq = k.seq WHERE o.seq < k.seq AND o.epoch <= k.epoch`;

/** See `closeOnShard`. */
export async function closeOnMysql(
  shard: MysqlDatabase,
  slots: readonly number[],
  epochs: readonly number[],
  seq: bigint,
): Promise<number> {
  const keys = slots.map((slot, at) => [slot, epochs[at]] as const).toSorted(([a], [b]) => a - b);
  const { rows } = await shard.repeated(CLOSE, [batchDocument(CLOSING, keys), seq]);
  return Number(rows[0]?.[0]?.toString('latin1'));
}

/** See `applyOwners`; with `install` entries that are missing are inserted before. */
export async function applyMysqlOwners(shard: MysqlDatabase, entries: readonly OwnerEntry[], install = false): Promise<void> {
  const rows = entries.toSorted((a, b) => a.slot - b.slot).map(({ slot, epoch, state, side, seq }) => [slot, epoch, state, side, seq]);
  const document = batchDocument(ENTRY, rows);
  if (install) await shard.repeated(INSTALL, [document]);
  await shard.repeated(APPLY, [document]);
}
