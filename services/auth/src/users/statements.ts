import {
  FENCE_CODES,
  FencedWrite,
  type FenceColumn,
  type FencedPacketOptions,
  type ShardSet,
  type SlotFollower,
  type SlotKey,
  type SlotMap,
} from '@wherry/shards';

/** What the statements run on. */
interface StatementContext {
  readonly shards: ShardSet;
  readonly map: SlotMap;
  readonly follower: SlotFollower;
}

interface NewUser extends SlotKey {
  readonly username: string;
  readonly passwordHash: string;
  readonly authorities: readonly string[];
  readonly createTime: number;
}

interface NameClaim extends SlotKey {
  readonly canonical: string;
  readonly userId: bigint;
  readonly at: number;
}

/** The writes of users and names, under the fence. Outcome `older`: an earlier try has done it. `collision`: refused. */
export interface UserWrites {
  readonly insertUser: FencedWrite<NewUser>;
  readonly claimName: FencedWrite<NameClaim>;
  readonly releaseName: FencedWrite<SlotKey & { readonly userId: bigint }>;
  readonly moveUser: FencedWrite<SlotKey & { readonly to: string; readonly at: number }>;
  readonly removeUser: FencedWrite<SlotKey>;
  readonly setPassword: FencedWrite<SlotKey & { readonly from: string; readonly to: string; readonly at: number }>;
  readonly setAuthorities: FencedWrite<SlotKey & { readonly authorities: readonly string[]; readonly at: number }>;
}

type ColumnOf<I> = FenceColumn & { readonly of: (item: I) => unknown };

const { older, collision } = FENCE_CODES;
/** No code: the row changed under the statement, which is repeated. */
const AGAIN = 0;
const USER = 'FROM app_user t WHERE t.slot = k.slot AND t.id = k.id';
const NAME = 'FROM username t WHERE t.slot = k.slot AND t.id = k.id';
const AT = { name: 'at', type: 'bigint', of: ({ at }: { readonly at: number }) => at } as const;
const USER_ID = { name: 'user_id', type: 'bigint', of: ({ userId }: { readonly userId: bigint }) => userId } as const;
const AUTHORITIES = {
  name: 'authorities',
  type: 'text',
  of: ({ authorities }: { readonly authorities: readonly string[] }) => JSON.stringify(authorities),
} as const;

/** Prepares the writes. */
export function userWrites(context: StatementContext): UserWrites {
  return {
    insertUser: fenced<NewUser>('user-insert', context, {
      columns: [
        { name: 'username', type: 'text', of: ({ username }) => username },
        { name: 'password_hash', type: 'text', of: ({ passwordHash }) => passwordHash },
        AUTHORITIES,
        { name: 'create_time', type: 'bigint', of: ({ createTime }) => createTime },
      ],
      write: `INSERT INTO app_user AS s (slot, id, username, password_hash, authorities, state, version, create_time, update_time)
        SELECT slot, id, username, password_hash, authorities, 'pending', 1, create_time, create_time FROM o
        ON CONFLICT (slot, id) DO NOTHING RETURNING s.slot, s.id`,
      refusal: `(SELECT ${older} ${USER})`,
      mysql: {
        write: {
          kind: 'insert',
          table: 'app_user',
          values: {
            username: 'o.username',
            password_hash: 'o.password_hash',
            authorities: 'o.authorities',
            state: "'pending'",
            version: '1',
            create_time: 'o.create_time',
            update_time: 'o.create_time',
          },
        },
        refusal: `CASE WHEN t.id IS NOT NULL THEN ${older} END`,
      },
    }),
    claimName: fenced<NameClaim>('username-claim', context, {
      columns: [{ name: 'username', type: 'text', of: ({ canonical }) => canonical }, USER_ID, AT],
      write: `INSERT INTO username AS s (slot, id, username, user_id, create_time) SELECT slot, id, username, user_id, at FROM o
        ON CONFLICT (slot, id) DO NOTHING RETURNING s.slot, s.id`,
      refusal: `(SELECT CASE WHEN t.user_id = k.user_id AND t.username = k.username THEN ${older} ELSE ${collision} END ${NAME})`,
      mysql: {
        write: {
          kind: 'insert',
          table: 'username',
          values: { username: 'o.username', user_id: 'o.user_id', create_time: 'o.at' },
        },
        refusal: `CASE WHEN t.id IS NULL THEN ${AGAIN} WHEN t.user_id = k.user_id AND t.username = k.username THEN ${older} ELSE ${collision} END`,
      },
    }),
    releaseName: fenced<SlotKey & { readonly userId: bigint }>('username-release', context, {
      columns: [USER_ID],
      write: `DELETE FROM username s USING o WHERE s.slot = o.slot AND s.id = o.id AND s.user_id = o.user_id RETURNING s.slot, s.id`,
      refusal: `coalesce((SELECT CASE WHEN t.user_id = k.user_id THEN ${AGAIN} ELSE ${collision} END ${NAME}), ${older})`,
      mysql: {
        write: { kind: 'delete', table: 'username', when: 's.user_id = o.user_id' },
        refusal: `CASE WHEN t.id IS NULL THEN ${older} WHEN t.user_id = k.user_id THEN ${AGAIN} ELSE ${collision} END`,
      },
    }),
    moveUser: fenced<SlotKey & { readonly to: string; readonly at: number }>('user-move', context, {
      columns: [{ name: 'to_state', type: 'text', of: ({ to }) => to }, AT],
      write: `UPDATE app_user s SET state = o.to_state, version = s.version + 1, update_time = o.at FROM o
        WHERE s.slot = o.slot AND s.id = o.id AND s.state = 'pending' RETURNING s.slot, s.id`,
      refusal: `coalesce((SELECT CASE t.state WHEN k.to_state THEN ${older} WHEN 'pending' THEN ${AGAIN} ELSE ${collision} END ${USER}), ${collision})`,
      mysql: changed(
        { state: 'o.to_state' },
        "s.state = 'pending'",
        `CASE t.state WHEN k.to_state THEN ${older} WHEN 'pending' THEN ${AGAIN} ELSE ${collision} END`,
      ),
    }),
    removeUser: fenced<SlotKey>('user-remove', context, {
      columns: [],
      write: `DELETE FROM app_user s USING o WHERE s.slot = o.slot AND s.id = o.id AND s.state = 'dead' RETURNING s.slot, s.id`,
      refusal: `coalesce((SELECT CASE t.state WHEN 'dead' THEN ${AGAIN} ELSE ${collision} END ${USER}), ${older})`,
      mysql: {
        write: { kind: 'delete', table: 'app_user', when: "s.state = 'dead'" },
        refusal: `CASE WHEN t.id IS NULL THEN ${older} WHEN t.state = 'dead' THEN ${AGAIN} ELSE ${collision} END`,
      },
    }),
    setPassword: fenced<SlotKey & { readonly from: string; readonly to: string; readonly at: number }>('user-password', context, {
      columns: [{ name: 'from_hash', type: 'text', of: ({ from }) => from }, { name: 'to_hash', type: 'text', of: ({ to }) => to }, AT],
      write: `UPDATE app_user s SET password_hash = o.to_hash, version = s.version + 1, update_time = o.at FROM o
        WHERE s.slot = o.slot AND s.id = o.id AND s.state = 'active' AND s.password_hash = o.from_hash RETURNING s.slot, s.id`,
      refusal: `coalesce((SELECT CASE WHEN t.state <> 'active' THEN ${collision} WHEN t.password_hash = k.to_hash THEN ${older}
        WHEN t.password_hash = k.from_hash THEN ${AGAIN} ELSE ${collision} END ${USER}), ${collision})`,
      mysql: changed(
        { password_hash: 'o.to_hash' },
        "s.state = 'active' AND s.password_hash = o.from_hash",
        `CASE WHEN t.state <> 'active' THEN ${collision} WHEN t.password_hash = k.to_hash THEN ${older}
          WHEN t.password_hash = k.from_hash THEN ${AGAIN} ELSE ${collision} END`,
      ),
    }),
    setAuthorities: fenced<SlotKey & { readonly authorities: readonly string[]; readonly at: number }>('user-authorities', context, {
      columns: [AUTHORITIES, AT],
      write: `UPDATE app_user s SET authorities = o.authorities, version = s.version + 1, update_time = o.at FROM o
        WHERE s.slot = o.slot AND s.id = o.id AND s.state = 'active' RETURNING s.slot, s.id`,
      refusal: `coalesce((SELECT CASE t.state WHEN 'active' THEN ${AGAIN} ELSE ${collision} END ${USER}), ${collision})`,
      mysql: changed(
        { authorities: 'o.authorities' },
        "s.state = 'active'",
        `CASE t.state WHEN 'active' THEN ${AGAIN} ELSE ${collision} END`,
      ),
    }),
  };
}

type MysqlSql = Omit<FencedPacketOptions, 'columns'>;

/** A change of a user's row on MySQL. What is not there is none of the states that `refusal` looks for: `collision`, as in PostgreSQL. */
function changed(set: Readonly<Record<string, string>>, when: string, refusal: string): MysqlSql {
  return {
    write: { kind: 'update', table: 'app_user', set: { ...set, version: 's.version + 1', update_time: 'o.at' }, when },
    refusal,
  };
}

interface Sql<I> {
  readonly columns: readonly ColumnOf<I>[];
  readonly write: string;
  readonly refusal: string;
  readonly mysql: MysqlSql;
}

function fenced<I extends SlotKey>(name: string, context: StatementContext, { columns, ...sql }: Sql<I>): FencedWrite<I> {
  return new FencedWrite<I>({ name, columns, value: (item, column) => columns[column]?.of(item), ...sql, ...context });
}
