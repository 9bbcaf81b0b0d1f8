import type { SessionKey } from '@wherry/sessions';
import type { Shard } from '@wherry/shards';

const PAGE = 500;
const CARRIED =
  'SELECT slot, id, session_id, source_ref FROM user_session WHERE user_id = $1 AND user_generation < $2 AND source_ref IS NOT NULL';
const TEXT = {
  postgres: `${CARRIED} AND (slot, id) > ($3::int, $4::bigint) ORDER BY slot, id LIMIT $5`,
  mysql: `${CARRIED} AND (slot > $3 OR (slot = $3 AND id > $4)) ORDER BY slot, id LIMIT $5`,
};

/** A carried-over session as its row names it, whether it lives or has ended. */
export interface NamedSession {
  readonly key: SessionKey;
  /** Its raw id, sealed. */
  readonly sourceRef: Buffer;
}

interface Row {
  readonly slot: number;
  readonly id: bigint;
  readonly session_id: Buffer;
  readonly source_ref: Buffer;
}

/** Pages of a user's carried-over sessions on one shard, tombstones among them, of a generation below `belowGeneration`. */
export async function* carriedSessionsOfUser(shard: Shard, userId: string, belowGeneration: number): AsyncGenerator<NamedSession[]> {
  let after: Pick<Row, 'slot' | 'id'> | undefined;
  do {
    const values = [userId, belowGeneration, after?.slot ?? -1, after?.id ?? 0n, PAGE];
    const { rows } = await shard.query<Row>({ name: 'carried-of-user', text: TEXT, values });
    if (rows.length > 0)
      yield rows.map(({ slot, id, session_id: digest, source_ref: sourceRef }) => ({ key: { slot, id, digest }, sourceRef }));
    after = rows.length < PAGE ? undefined : rows.at(-1);
  } while (after !== undefined);
}
