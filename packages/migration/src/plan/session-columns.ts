/** A column that every session has, whatever its attributes are. */
export interface SessionColumn {
  readonly name: string;
  readonly postgresql: string;
  readonly mysql: string;
  readonly reason: string;
}

/** Text of user ids and names: compared by its bytes, so that no two users are one for their case or accents. */
const NAME_MYSQL = 'VARCHAR(256) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin';

/** The columns of `user_session`. */
export const SESSION_COLUMNS: readonly SessionColumn[] = [
  {
    name: 'slot',
    postgresql: 'int NOT NULL',
    mysql: 'INT NOT NULL',
    reason: 'part of the key space, follows from id; first in every key, so that slots move between shards as ranges',
  },
  {
    name: 'id',
    postgresql: 'bigint NOT NULL',
    mysql: 'BIGINT NOT NULL',
    reason: 'primary key, made by the application, so that shards need no common sequence',
  },
  {
    name: 'session_id',
    postgresql: 'bytea NOT NULL',
    mysql: 'VARBINARY(32) NOT NULL',
    reason: 'SHA-256 of the session id, unique; the id itself is a secret and is not kept',
  },
  { name: 'user_id', postgresql: 'text', mysql: NAME_MYSQL, reason: 'whose session it is; null: nobody has signed in' },
  { name: 'username', postgresql: 'text', mysql: NAME_MYSQL, reason: 'the name that people look for' },
  { name: 'role', postgresql: 'text', mysql: NAME_MYSQL, reason: 'the first authority, for people who look at the table' },
  {
    name: 'authorities',
    postgresql: 'text NOT NULL',
    mysql: 'MEDIUMTEXT NOT NULL',
    reason: 'roles and permissions as a JSON array; read whole, never searched by',
  },
  { name: 'create_time', postgresql: 'bigint NOT NULL', mysql: 'BIGINT NOT NULL', reason: 'epoch milliseconds: no zone to go wrong' },
  { name: 'last_access_time', postgresql: 'bigint NOT NULL', mysql: 'BIGINT NOT NULL', reason: 'the last use, epoch milliseconds' },
  { name: 'expire_time', postgresql: 'bigint', mysql: 'BIGINT', reason: 'the end, epoch milliseconds; null: never' },
  {
    name: 'user_generation',
    postgresql: 'bigint NOT NULL',
    mysql: 'BIGINT NOT NULL',
    reason: 'a session of an older generation of its user has ended: log-out everywhere needs no scan',
  },
  {
    name: 'attributes',
    postgresql: 'text',
    mysql: 'LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin',
    reason:
      'the whole session as JSON text. Not jsonb and not JSON: both reorder and drop, and the way back must give what the application wrote',
  },
  {
    name: 'epoch',
    postgresql: 'bigint NOT NULL',
    mysql: 'BIGINT NOT NULL',
    reason: 'first half of the version: which ownership of the slot wrote it',
  },
  { name: 'version', postgresql: 'bigint NOT NULL', mysql: 'BIGINT NOT NULL', reason: 'second half: only what is newer may overwrite' },
  { name: 'touch_version', postgresql: 'bigint NOT NULL', mysql: 'BIGINT NOT NULL', reason: 'touches are ordered by themselves' },
  { name: 'deleted_at', postgresql: 'bigint', mysql: 'BIGINT', reason: 'a tombstone: what has ended does not come back' },
  { name: 'source_ref', postgresql: 'bytea', mysql: 'BLOB', reason: 'the id in the source, sealed, for the way back' },
];
