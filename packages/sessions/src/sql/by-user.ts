import type { Shard } from '@wherry/shards';
import type { SessionKey } from '../record.ts';

const PAGE = 500;

/** Pages of keys of a user's living sessions on one shard, of a generation below `belowGeneration`. */
export async function* sessionKeysOfUser(shard: Shard, userId: string, belowGeneration: number): AsyncGenerator<SessionKey[]> {
  let after: SessionKey | undefined;
  do {
    const keys: SessionKey[] = await page(shard, [userId, belowGeneration, after?.slot ?? -1, after?.id ?? 0n, PAGE]);
    if (keys.length > 0) yield keys;
    after = keys.length < PAGE ? undefined : keys.at(-1);
  } while (after !== undefined);
}

const LIVING = 'SELECT slot, id, session_id FROM user_session WHERE user_id = $1 AND user_generation < $2 AND deleted_at IS NULL';

async function page(shard: Shard, values: unknown[]): Promise<SessionKey[]> {
  const { rows } = await shard.query<{ slot: number; id: bigint; session_id: Buffer }>({
    name: 'session-of-user',
    text: {
      postgres: `${LIVING} AND (slot, id) > ($3::int, $4::bigint) ORDER BY slot, id LIMIT $5`,
      mysql: `${LIVING} AND (slot > $3 OR (slot = $3 AND id > $4)) ORDER BY slot, id LIMIT $5`,
    },
    values,
  });
  return rows.map((row) => ({ slot: row.slot, id: row.id, digest: row.session_id }));
}
