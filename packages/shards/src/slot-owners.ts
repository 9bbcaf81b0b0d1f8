import { transaction, type Database, type Queryable } from '@wherry/core/control';
import type { PrimarySide, SlotEntry, SlotState } from './slot-entry.ts';
import { readSlotMap } from './slot-map-changes.ts';

/*
 * The shard's twin of the slot map. A shard applies what control has committed, and only over an older entry (`seq`).
 * So anybody may carry an entry over, late or twice: a closer that was stopped for a while cannot close a slot that was
 * opened since, and nobody can open one that was closed since.
 */

const APPLY = `
  UPDATE slot_owner o SET epoch = k.epoch, state = k.state, primary_side = k.side, seq = k.seq
  FROM unnest($1::int[], $2::bigint[], $3::text[], $4::text[], $5::bigint[]) k(slot, epoch, state, side, seq)
  WHERE o.slot = k.slot AND o.seq < k.seq AND o.epoch <= k.epoch`;

const INSTALL = `
  INSERT INTO slot_owner (slot, epoch, state, primary_side, seq)
  SELECT slot, epoch, state, side, seq FROM unnest($1::int[], $2::bigint[], $3::text[], $4::text[], $5::bigint[]) k(slot, epoch, state, side, seq)
  ORDER BY slot ON CONFLICT (slot) DO NOTHING`;

/**
 * Closes slots on their shard for the closing of number `seq`, and resolves when no write is under way in them: the
 * plain UPDATE turns new writers away at once, and FOR UPDATE then waits for those that hold the row, which it does not
 * hold up. Answers how many slots are closed by this very closing: fewer than asked for means that it was aborted.
 */
export async function closeOnShard(shard: Database, slots: readonly number[], epochs: readonly number[], seq: bigint): Promise<number> {
  await shard.query(
    `UPDATE slot_owner o SET state = 'closing', epoch = k.epoch, seq = $3 FROM unnest($1::int[], $2::bigint[]) k(slot, epoch)
     WHERE o.slot = k.slot AND o.epoch <= k.epoch AND o.seq < $3`,
    [slots, epochs, seq],
  );
  return transaction(shard, async (tx) => {
    const { rows } = await tx.query<{ state: SlotState; seq: bigint }>(
      'SELECT state, seq FROM slot_owner WHERE slot = ANY ($1) ORDER BY slot FOR UPDATE',
      [slots],
    );
    return rows.filter((row) => row.state === 'closing' && row.seq === seq).length;
  });
}

/** Opens slots on their shard as control has committed them under number `seq`. Idempotent; an entry that is not newer does nothing. */
export async function openOnShard(
  shard: Queryable,
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
export async function applyOwners(shard: Queryable, entries: readonly Omit<SlotEntry, 'shard'>[]): Promise<void> {
  await shard.query(APPLY, columns(entries));
}

/** Gives a shard the slots that it owns, where it does not know them, and what is newer where it does. */
export async function installOwners(shard: Queryable, entries: readonly Omit<SlotEntry, 'shard'>[]): Promise<void> {
  const values = columns(entries);
  await shard.query(INSTALL, values);
  await shard.query(APPLY, values);
}

/** Brings every shard's owners to what the control database says. `shards` in the order of their numbers. */
export async function installSlotMap(control: Queryable, shards: readonly Queryable[]): Promise<void> {
  const entries = await readSlotMap(control);
  for (const [index, shard] of shards.entries())
    await installOwners(
      shard,
      entries.filter((entry) => entry.shard === index),
    );
}

function columns(entries: readonly Omit<SlotEntry, 'shard'>[]): unknown[] {
  return [
    entries.map(({ slot }) => slot),
    entries.map(({ epoch }) => epoch),
    entries.map(({ state }) => state),
    entries.map(({ side }) => side),
    entries.map(({ seq }) => seq),
  ];
}
