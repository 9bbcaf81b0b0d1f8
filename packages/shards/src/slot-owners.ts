import { transaction, type Queryable, type Transaction } from '@wherry/core/control';
import { applyMysqlOwners, closeOnMysql } from './mysql/mysql-owners.ts';
import { asMysql, asPostgres, type ShardDatabase } from './shard-database.ts';
import type { PrimarySide, SlotEntry } from './slot-entry.ts';
import { readSlotMap } from './slot-map-changes.ts';

/*
 * The shard's twin of the slot map. A shard applies what control has committed, and only over an older entry (`seq`).
 * So anybody may carry an entry over, late or twice: a closer that was stopped for a while cannot close a slot that was
 * opened since, and nobody can open one that was closed since.
 *
 * On PostgreSQL an owner row is replaced (deleted and inserted), not updated, whenever writers under the former entry must be over.
 * A writer locks the row FOR KEY SHARE as its snapshot shows it. To that lock an UPDATE of other columns is no
 * obstacle, not even a committed one: a statement whose snapshot is older than the closing would get its lock long after
 * it, and see the slot open. A deleted row it cannot lock, and the new row is not in its snapshot.
 */

/** An entry as its shard knows it. */
export type OwnerEntry = Omit<SlotEntry, 'shard'>;

interface OwnerRow {
  readonly slot: number;
  readonly epoch: bigint;
  readonly side: PrimarySide;
}

const ENTRIES = 'unnest($1::int[], $2::bigint[], $3::text[], $4::text[], $5::bigint[]) k(slot, epoch, state, side, seq)';

/** Arbitrary but fixed. */
const OWNERS_LOCK = 5_518_904_731n;

const NEWER = `SELECT o.slot FROM slot_owner o JOIN ${ENTRIES} ON o.slot = k.slot AND o.seq < k.seq AND o.epoch <= k.epoch ORDER BY o.slot FOR UPDATE OF o`;
const INSERT = `
  INSERT INTO slot_owner (slot, epoch, state, primary_side, seq) SELECT slot, epoch, state, side, seq FROM ${ENTRIES}`;

/**
 * Closes slots on their shard for the closing of number `seq`, and resolves when no write is under way in them nor can
 * begin. In two steps, so that busy writers are not held up and do not hold up: a plain UPDATE turns new writers away at
 * once, and the replacement of the rows waits for the few that hold them. Answers how many slots are closed by this very
 * closing: fewer than asked for means that it was aborted.
 */
export async function closeOnShard(
  shard: ShardDatabase,
  slots: readonly number[],
  epochs: readonly number[],
  seq: bigint,
): Promise<number> {
  const mysql = asMysql(shard);
  if (mysql !== undefined) return closeOnMysql(mysql, slots, epochs, seq);
  await changing(shard, async (tx) => {
    await tx.query(
      `UPDATE slot_owner o SET state = 'closing', epoch = k.epoch, seq = $3 FROM unnest($1::int[], $2::bigint[]) k(slot, epoch)
       WHERE o.slot = k.slot AND o.epoch <= k.epoch AND o.seq < $3`,
      [slots, epochs, seq],
    );
  });
  return changing(shard, async (tx) => {
    const mine = `slot = ANY ($1::int[]) AND state = 'closing' AND seq = $2`;
    await tx.query(`SELECT FROM slot_owner WHERE ${mine} ORDER BY slot FOR UPDATE`, [slots, seq]);
    const { rows } = await tx.query<OwnerRow>(`DELETE FROM slot_owner WHERE ${mine} RETURNING slot, epoch, primary_side AS side`, [
      slots,
      seq,
    ]);
    await tx.query(INSERT, columns(rows.map((row) => ({ ...row, epoch: Number(row.epoch), state: 'closing', seq }))));
    return rows.length;
  });
}

/** Opens slots on their shard as control has committed them under number `seq`. Idempotent; an entry that is not newer does nothing. */
export async function openOnShard(
  shard: ShardDatabase,
  slots: readonly number[],
  epochs: readonly number[],
  side: PrimarySide,
  seq: bigint,
): Promise<void> {
  await applyOwners(
    shard,
    slots.map((slot, i) => ({ slot, epoch: epochs[i] ?? 0, side, state: 'open' as const, seq })),
  );
}

/** Carries committed entries over to the shard that owns them; those that are not newer do nothing. */
export async function applyOwners(shard: ShardDatabase, entries: readonly OwnerEntry[]): Promise<void> {
  const mysql = asMysql(shard);
  if (mysql !== undefined) return applyMysqlOwners(mysql, entries);
  await changing(shard, async (tx) => {
    const { rows } = await tx.query<{ slot: number }>(NEWER, columns(entries));
    if (rows.length === 0) return;
    const newer = new Set(rows.map(({ slot }) => slot));
    await tx.query('DELETE FROM slot_owner WHERE slot = ANY ($1::int[])', [[...newer]]);
    await tx.query(INSERT, columns(entries.filter(({ slot }) => newer.has(slot))));
  });
}

/** Gives a shard the slots that it owns, where it does not know them, and what is newer where it does. */
export async function installOwners(shard: ShardDatabase, entries: readonly OwnerEntry[]): Promise<void> {
  const mysql = asMysql(shard);
  if (mysql !== undefined) return applyMysqlOwners(mysql, entries, true);
  await shard.query(`${INSERT} ORDER BY slot ON CONFLICT (slot) DO NOTHING`, columns(entries));
  await applyOwners(shard, entries);
}

/** Brings every shard's owners to what the control database says. `shards` in the order of their numbers. */
export async function installSlotMap(control: Queryable, shards: readonly ShardDatabase[]): Promise<void> {
  const entries = await readSlotMap(control);
  for (const [index, shard] of shards.entries())
    await installOwners(
      shard,
      entries.filter((entry) => entry.shard === index),
    );
}

/**
 * One change of a shard's owners at a time, writers and readers not counted: a change that met the replacement of a row
 * half-way would find the old row gone and the new one not in its snapshot, and do nothing.
 */
async function changing<T>(shard: ShardDatabase, work: (tx: Transaction) => Promise<T>): Promise<T> {
  return transaction(asPostgres(shard), async (tx) => {
    await tx.query('SELECT pg_advisory_xact_lock($1)', [OWNERS_LOCK]);
    return work(tx);
  });
}

function columns(entries: readonly OwnerEntry[]): unknown[] {
  return [
    entries.map(({ slot }) => slot),
    entries.map(({ epoch }) => epoch),
    entries.map(({ state }) => state),
    entries.map(({ side }) => side),
    entries.map(({ seq }) => seq),
  ];
}
