import type { ShardSet } from '@wherry/shards';
import { MYSQL_NOW } from './mysql-statements.ts';

const ANY = {
  // The index of the living is used where its condition is said in its own words.
  postgres: `SELECT 1 FROM (SELECT coalesce($1::bigint, wherry_now()) AS now) n JOIN token_family t
    ON num_nulls(t.ended_at) = 1 AND coalesce(t.absolute_expiry, 9007199254740991) > n.now AND t.idle_expiry > n.now LIMIT 1`,
  // In two parts, as it looks up either what is NULL or what is greater.
  mysql: ['t.absolute_expiry IS NULL', `t.absolute_expiry > COALESCE($1, ${MYSQL_NOW})`]
    .map(
      (cap) => `(SELECT 1 FROM token_family t WHERE t.ended_at IS NULL AND ${cap} AND t.idle_expiry > COALESCE($1, ${MYSQL_NOW}) LIMIT 1)`,
    )
    .join(' UNION ALL '),
};

/** True when a family is alive on any shard. `now` null: each shard's clock. */
export async function anyAlive(shards: ShardSet, now: number | null): Promise<boolean> {
  const found = await Promise.all(
    shards.all.map(async (_, index) => shards.queryArrays(index, { name: 'family-alive', text: ANY, values: [now] })),
  );
  return found.some((rows) => rows.length > 0);
}
