-- Sessions that are asked for most, as the gateways see them, and how often their memories had the answer.

CREATE TABLE hot_session (
  slot integer NOT NULL,
  id bigint NOT NULL,
  -- SHA-256 of the secret, as it lies beside the session.
  digest bytea NOT NULL,
  kind text NOT NULL CHECK (kind IN ('cookie', 'session_token')),
  requests bigint NOT NULL,
  seen_at bigint NOT NULL,
  PRIMARY KEY (slot, id)
);
CREATE INDEX hot_session_seen ON hot_session (seen_at);

CREATE TABLE session_memory (
  instance text PRIMARY KEY,
  hits bigint NOT NULL,
  misses bigint NOT NULL,
  warmed bigint NOT NULL,
  reported_at bigint NOT NULL
);
