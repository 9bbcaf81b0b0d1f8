import type { FencedWrite, Shard, ShardSet, SlotKey } from '@wherry/shards';
import { deadBefore, type DeleteItem } from './statements.ts';

/** What a sweep came to. */
export interface FamilySweep {
  /** Rows removed. */
  readonly removed: number;
  /** True when every shard was looked through to its end; the next sweep begins anew. */
  readonly complete: boolean;
}

/** Options of a sweep. */
export interface FamilySweepOptions {
  /** How long a dead row is kept, ms: as long as its reuse or its evidence may be of interest. Default a day. */
  readonly keepMs?: number;
  /** Rows looked at on each shard; default 2000. */
  readonly limit?: number;
  /** Epoch ms; default each shard's clock. */
  readonly now?: number;
}

const DAY_MS = 86_400_000;

interface Page {
  readonly dead: readonly DeleteItem[];
  readonly last: SlotKey | undefined;
}

/**
 * Removes dead families, a page of each shard a sweep, in the order of the primary key: an index by the time of death
 * would be written at each renewal.
 */
export class DeadFamilies {
  readonly #shards: ShardSet;
  readonly #delete: FencedWrite<DeleteItem>;
  /** Where the next page of a shard begins; `end`: it was looked through, and waits for the others. */
  #after: (SlotKey | 'end' | undefined)[] = [];

  constructor(shards: ShardSet, remove: FencedWrite<DeleteItem>) {
    this.#shards = shards;
    this.#delete = remove;
  }

  /** Looks at the next page of each shard. Throws `shard_unavailable`; repeating is harmless. */
  async sweep(options: FamilySweepOptions): Promise<FamilySweep> {
    const removed = await Promise.all(this.#shards.all.map(async (shard, index) => this.#sweepShard(shard, index, options)));
    const complete = this.#after.every((after) => after === 'end');
    if (complete) this.#after = [];
    return { removed: removed.reduce((sum, count) => sum + count, 0), complete };
  }

  async #sweepShard(shard: Shard, index: number, options: FamilySweepOptions): Promise<number> {
    const after = this.#after[index];
    if (after === 'end') return 0;
    const { dead, last } = await page(shard, after, options);
    // Through the fence, to whoever owns the slot: a row left behind by a move is not this table's any more.
    const outcomes = await Promise.all(dead.map(async (item) => this.#delete.underCurrent(item)));
    this.#after[index] = last ?? 'end';
    return outcomes.filter(({ outcome }) => outcome === 'applied').length;
  }
}

async function page(shard: Shard, after: SlotKey | undefined, options: FamilySweepOptions): Promise<Page> {
  const { keepMs = DAY_MS, limit = 2000, now = null } = options;
  const { rows } = await shard.query<{ slot: number; id: bigint; before: bigint; dead: boolean }>({
    name: 'family-sweep',
    text: `SELECT t.slot, t.id, b.before, ${deadBefore('t', 'b.before')} AS dead
      FROM (SELECT coalesce($4::bigint, wherry_now()) - $5::bigint AS before) b,
        (SELECT * FROM token_family WHERE (slot, id) > ($1::int, $2::bigint) ORDER BY slot, id LIMIT $3) t ORDER BY t.slot, t.id`,
    values: [after?.slot ?? -1, after?.id ?? 0n, limit, now, keepMs],
  });
  const dead = rows.filter((row) => row.dead).map(({ slot, id, before }) => ({ slot, id, before: Number(before) }));
  const last = rows.at(-1);
  return { dead, last: rows.length < limit || last === undefined ? undefined : { slot: last.slot, id: last.id } };
}
