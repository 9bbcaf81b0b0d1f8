-- Login records. Times are epoch milliseconds; expire_time null: never.
CREATE TABLE user_session (
  slot int NOT NULL,
  id bigint NOT NULL,
  -- SHA-256 of the bearer secret, never the secret.
  session_id bytea NOT NULL,
  user_id text,
  username text,
  role text,
  -- JSON array of text.
  authorities text NOT NULL,
  create_time bigint NOT NULL,
  last_access_time bigint NOT NULL,
  expire_time bigint,
  user_generation bigint NOT NULL,
  -- JSON text as the application wrote it; null in a tombstone.
  attributes text,
  -- The row's version is (epoch, version), compared as a row. A touch has its own.
  epoch bigint NOT NULL,
  version bigint NOT NULL,
  touch_version bigint NOT NULL,
  -- Set: a tombstone. Nothing brings the session back.
  deleted_at bigint,
  -- The carried-over id, sealed.
  source_ref bytea,
  PRIMARY KEY (slot, id),
  CONSTRAINT user_session_session_id UNIQUE (slot, session_id)
);
CREATE INDEX user_session_username ON user_session (username);
CREATE INDEX user_session_user_id ON user_session (user_id);
CREATE INDEX user_session_expire_time ON user_session (expire_time);
