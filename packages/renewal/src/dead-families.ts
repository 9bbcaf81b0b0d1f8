import type { FencedWrite, Shard, ShardSet, SlotKey } from '@wherry/shards';
import { MYSQL_NOW, mysqlDeadBefore } from './mysql-statements.ts';
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

const PAGE = {
  postgres: `SELECT t.slot, t.id, b.dead_before, ${deadBefore('t', 'b.dead_before')} AS dead
      FROM (SELECT coalesce($4::bigint, wherry_now()) - $5::bigint AS dead_before) b,
        (SELECT * FROM token_family WHERE (slot, id) > ($1::int, $2::bigint) ORDER BY slot, id LIMIT $3) t ORDER BY t.slot, t.id`,
  // Row comparisons are not looked up in the index there.
  mysql: `SELECT t.slot, t.id, b.dead_before, ${mysqlDeadBefore('t', 'b.dead_before')} AS dead
      FROM (SELECT COALESCE($4, ${MYSQL_NOW}) - $5 AS dead_before) b,
        (SELECT * FROM token_family WHERE slot >= $1 AND (slot > $1 OR id > $2) ORDER BY slot, id LIMIT $3) t ORDER BY t.slot, t.id`,
};

async function page(shard: Shard, after: SlotKey | undefined, options: FamilySweepOptions): Promise<Page> {
  const { keepMs = DAY_MS, limit = 2000, now = null } = options;
  const { rows } = await shard.query<{ slot: number; id: bigint; dead_before: bigint; dead: boolean | number }>({
    name: 'family-sweep',
    text: PAGE,
    values: [after?.slot ?? -1, after?.id ?? 0n, limit, now, keepMs],
  });
  const dead = rows.filter((row) => Boolean(row.dead)).map((row) => ({ slot: row.slot, id: row.id, before: Number(row.dead_before) }));
  const last = rows.at(-1);
  return { dead, last: rows.length < limit || last === undefined ? undefined : { slot: last.slot, id: last.id } };
}
