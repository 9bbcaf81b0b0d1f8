import { createHash } from 'node:crypto';
import type { Shard } from '@wherry/shards';

/** Raises what a shard knows of the least generation of a user that lives; it never falls. Durable when it resolves. */
export async function raiseUserFloor(shard: Shard, userId: string, generation: number): Promise<void> {
  await shard.query({
    name: 'floor-raise',
    text: {
      postgres: `INSERT INTO user_floor AS f (user_key, generation) VALUES ($1, $2)
        ON CONFLICT (user_key) DO UPDATE SET generation = excluded.generation WHERE f.generation < excluded.generation`,
      mysql: `INSERT INTO user_floor (user_key, generation) VALUES ($1, $2)
        ON DUPLICATE KEY UPDATE generation = GREATEST(generation, VALUES(generation))`,
    },
    values: [keyOf(userId), generation],
  });
}

/** The least generation of a user that lives, as a shard knows it; 0 where his was never raised. */
export async function readUserFloor(shard: Shard, userId: string): Promise<number> {
  const { rows } = await shard.query<{ generation: bigint }>({
    name: 'floor-read',
    text: 'SELECT generation FROM user_floor WHERE user_key = $1',
    values: [keyOf(userId)],
  });
  return Number(rows[0]?.generation ?? 0n);
}

/** Ids of users are of any length, and differ by each byte. */
function keyOf(userId: string): string {
  return createHash('sha256').update(userId).digest('hex');
}
