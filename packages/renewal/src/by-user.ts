import type { Shard, SlotKey } from '@wherry/shards';

const PAGE = 500;

const LIVING = 'SELECT slot, id FROM token_family WHERE user_id = $1 AND user_generation < $2 AND ended_at IS NULL';
const TEXT = {
  postgres: `${LIVING} AND (slot, id) > ($3::int, $4::bigint) ORDER BY slot, id LIMIT $5`,
  mysql: `${LIVING} AND (slot > $3 OR (slot = $3 AND id > $4)) ORDER BY slot, id LIMIT $5`,
};

/** Pages of keys of a user's living families on one shard, of a generation below `belowGeneration`. */
export async function* familyKeysOfUser(shard: Shard, userId: string, belowGeneration: number): AsyncGenerator<SlotKey[]> {
  let after: SlotKey | undefined;
  do {
    const { rows } = await shard.query<{ slot: number; id: bigint }>({
      name: 'family-of-user',
      text: TEXT,
      values: [userId, belowGeneration, after?.slot ?? -1, after?.id ?? 0n, PAGE],
    });
    if (rows.length > 0) yield rows;
    after = rows.length < PAGE ? undefined : rows.at(-1);
  } while (after !== undefined);
}
