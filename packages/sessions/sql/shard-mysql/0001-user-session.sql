-- Login records. Times are epoch milliseconds; expire_time null: never. Text differs by each byte: user ids differ by case
-- and by spaces at their end.
CREATE TABLE IF NOT EXISTS user_session (
  slot int NOT NULL,
  id bigint NOT NULL,
  -- SHA-256 of the bearer secret, never the secret.
  session_id varbinary(32) NOT NULL,
  user_id varchar(512),
  username varchar(512),
  role varchar(512),
  -- JSON array of text.
  authorities longtext NOT NULL,
  create_time bigint NOT NULL,
  last_access_time bigint NOT NULL,
  expire_time bigint,
  user_generation bigint NOT NULL,
  -- JSON text as the application wrote it; null in a tombstone.
  attributes longtext,
  -- The row's version is (epoch, version), compared as a row. A touch has its own.
  epoch bigint NOT NULL,
  version bigint NOT NULL,
  touch_version bigint NOT NULL,
  -- Set: a tombstone. Nothing brings the session back.
  deleted_at bigint,
  -- The carried-over id, sealed.
  source_ref blob,
  -- Which message wrote the row last: by it that message learns what it has written.
  write_mark bigint NOT NULL,
  PRIMARY KEY (slot, id),
  CONSTRAINT user_session_session_id UNIQUE (slot, session_id),
  INDEX user_session_username (username),
  INDEX user_session_user_id (user_id),
  INDEX user_session_expire_time (expire_time)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 /*M! COLLATE = utf8mb4_nopad_bin */ /*!80017 COLLATE = utf8mb4_0900_bin */;
