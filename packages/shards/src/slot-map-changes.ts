import { WherryError } from '@wherry/core';
import { audit, nextSeq, transaction, type AuditEntry, type Database, type Queryable, type Transaction } from '@wherry/core/control';
import type { PrimarySide, SlotEntry, SlotState } from './slot-entry.ts';
import { SLOT_COUNT } from './slot.ts';

/*
 * Changes of the slot map in the control database. Invariants:
 *  - a slot has one owner and one primary side per epoch: `epoch` rises in the statement that changes either;
 *  - `commitSide` is the commit point of a change. It is one compare-and-set over all slots of the closing, which must
 *    still be that very closing (`seq`), so it cannot meet a slot that was opened meanwhile, or closed by another;
 *  - a shard learns of an entry only after its commit here, and applies it only over an older one (`slot-owners.ts`).
 */

/** The feed's name for the slot map. */
export const SLOT_MAP_TOPIC = 'slot-map';

/** Slots that were closed together, for {@link commitSide} or {@link abortClosing}. */
export interface Closing {
  readonly slots: readonly number[];
  /** Epochs under which they were closed, slot by slot. */
  readonly epochs: readonly number[];
  readonly seq: bigint;
}

/** Options of a change. */
export interface ChangeOptions {
  /** Written into the audit log in the same transaction. */
  readonly audit?: AuditEntry;
}

interface SlotMapRow {
  readonly slot: number;
  readonly shard: number;
  readonly epoch: bigint;
  readonly primary_side: PrimarySide;
  readonly state: SlotState;
  readonly seq: bigint;
}

/** Spreads all slots evenly over the shards, open, epoch 1. Does nothing when there is a map; answers whether it made one. */
export async function initialiseSlotMap(
  control: Database,
  shardCount: number,
  side: PrimarySide,
  options: ChangeOptions = {},
): Promise<boolean> {
  return transaction(control, async (tx) => {
    await tx.query('LOCK TABLE slot_map IN SHARE ROW EXCLUSIVE MODE');
    const { rows } = await tx.query('SELECT FROM slot_map LIMIT 1');
    if (rows.length > 0) return false;
    const seq = await nextSeq(tx, SLOT_MAP_TOPIC);
    // Contiguous ranges: the slot is a mix already, so they are as even as any other share.
    await tx.query(
      `INSERT INTO slot_map (slot, shard, epoch, primary_side, state, seq)
       SELECT slot, slot * $1::int / $2::int, 1, $3, 'open', $4 FROM generate_series(0, $2::int - 1) slot`,
      [shardCount, SLOT_COUNT, side, seq],
    );
    if (options.audit !== undefined) await audit(tx, options.audit);
    return true;
  });
}

/** All entries as the control database has them, or those of `slots`, by slot. */
export async function readSlotMap(control: Queryable, slots?: readonly number[]): Promise<SlotEntry[]> {
  const { rows } = await control.query<SlotMapRow>(
    `SELECT slot, shard, epoch, primary_side, state, seq FROM slot_map WHERE $1::int[] IS NULL OR slot = ANY ($1) ORDER BY slot`,
    [slots ?? null],
  );
  return rows.map((row) => ({
    slot: row.slot,
    shard: row.shard,
    epoch: Number(row.epoch),
    side: row.primary_side,
    state: row.state,
    seq: row.seq,
  }));
}

/**
 * Lets writers wait in front of `slots`, at most until `deadlineMs` from now. All or none: throws `conflict` when one is
 * not open or not of its expected epoch. What follows: acknowledgements of all instances, then the shards.
 */
export async function beginClosing(
  control: Database,
  slots: readonly number[],
  expectedEpochs: readonly number[],
  deadlineMs: number,
  options: ChangeOptions = {},
): Promise<Closing> {
  return change(control, slots, options, async (tx, seq) => {
    const { rowCount } = await tx.query(
      `UPDATE slot_map m SET state = 'closing', closing_until = wherry_now() + $3, seq = $4
       FROM unnest($1::int[], $2::bigint[]) k(slot, epoch) WHERE m.slot = k.slot AND m.epoch = k.epoch AND m.state = 'open'`,
      [slots, expectedEpochs, deadlineMs, seq],
    );
    return { rowCount, result: { slots, epochs: expectedEpochs, seq } };
  });
}

/** Makes `side` the primary side of closed slots, epoch + 1, open: the commit point. All or none: `conflict` when one was opened meanwhile. */
export async function commitSide(
  control: Database,
  closing: Closing,
  to: { readonly side: PrimarySide },
  options: ChangeOptions = {},
): Promise<bigint> {
  return change(control, closing.slots, options, async (tx, seq) => {
    const { rowCount } = await tx.query(
      `UPDATE slot_map m SET state = 'open', closing_until = NULL, primary_side = $4, epoch = m.epoch + 1, seq = $5
       FROM unnest($1::int[], $2::bigint[]) k(slot, epoch)
       WHERE m.slot = k.slot AND m.epoch = k.epoch AND m.state = 'closing' AND m.seq = $3`,
      [closing.slots, closing.epochs, closing.seq, to.side, seq],
    );
    return { rowCount, result: seq };
  });
}

/** Opens again, under the same epoch, what is still closed by this closing; undefined when nothing is. Idempotent. */
export async function abortClosing(control: Database, closing: Closing, options: ChangeOptions = {}): Promise<bigint | undefined> {
  return reopen(control, 'slot = ANY ($1) AND seq = $2', [closing.slots, closing.seq], options);
}

/** Opens again, under the same epoch, every slot whose closing has outlived its deadline; undefined when none has. Anybody may. */
export async function abortExpiredClosings(control: Database): Promise<bigint | undefined> {
  return reopen(control, 'closing_until < wherry_now()', [], {});
}

/** Opens again every slot that is closing, whoever closed it; for an operator or a migrator that starts. */
export async function abortClosingOf(
  control: Database,
  slots: readonly number[],
  options: ChangeOptions = {},
): Promise<bigint | undefined> {
  return reopen(control, 'slot = ANY ($1)', [slots], options);
}

async function reopen(control: Database, where: string, values: unknown[], options: ChangeOptions): Promise<bigint | undefined> {
  return transaction(control, async (tx) => {
    const closed = await tx.query<{ slot: number }>(
      `SELECT slot FROM slot_map WHERE state = 'closing' AND ${where} ORDER BY slot FOR UPDATE`,
      values,
    );
    if (closed.rows.length === 0) return undefined;
    const seq = await nextSeq(tx, SLOT_MAP_TOPIC);
    await tx.query(`UPDATE slot_map SET state = 'open', closing_until = NULL, seq = $2 WHERE slot = ANY ($1)`, [
      closed.rows.map(({ slot }) => slot),
      seq,
    ]);
    if (options.audit !== undefined) await audit(tx, options.audit);
    return seq;
  });
}

/** Changes all `slots` or none. The rows are locked before the number is taken: it is what all writers queue for. */
async function change<T>(
  control: Database,
  slots: readonly number[],
  options: ChangeOptions,
  apply: (tx: Transaction, seq: bigint) => Promise<{ rowCount: number | null; result: T }>,
): Promise<T> {
  return transaction(control, async (tx) => {
    await tx.query('SELECT FROM slot_map WHERE slot = ANY ($1) ORDER BY slot FOR UPDATE', [slots]);
    const { rowCount, result } = await apply(tx, await nextSeq(tx, SLOT_MAP_TOPIC));
    if (rowCount !== slots.length)
      throw new WherryError('conflict', 'somebody else has changed one of the slots', { data: { slots: slots.length } });
    if (options.audit !== undefined) await audit(tx, options.audit);
    return result;
  });
}
