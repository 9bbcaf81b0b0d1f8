/** Which store is the system of record for a slot. */
export type PrimarySide = 'source' | 'target';

/** `closing`: writers wait, reads go on. */
export type SlotState = 'open' | 'closing';

/** Who owns a slot. */
export interface SlotEntry {
  readonly slot: number;
  /** Index into the list of shards. */
  readonly shard: number;
  /** Version of the ownership: rises with every change of shard or primary side, never falls. */
  readonly epoch: number;
  readonly side: PrimarySide;
  readonly state: SlotState;
  /** The control database's number for the change that made the entry so. Orders all that ever happens to a slot. */
  readonly seq: bigint;
}
