-- Families of renewal credentials, in the slot of their session. Times are epoch milliseconds of this database.
-- Digests only: nobody can make a credential, or open the sealed successor, from what lies here.
CREATE TABLE token_family (
  slot int NOT NULL,
  -- Random, so that one session may have several: two devices, two clients, two tabs that began alone.
  id bigint NOT NULL,
  session_id bigint NOT NULL,
  user_id text NOT NULL,
  client_id text NOT NULL,
  mode text NOT NULL CHECK (mode IN ('credential', 'bearer')),
  -- Thumbprint of the key that the client has to prove (RFC 9449); null: none.
  bound_to text,
  user_generation bigint NOT NULL,
  -- SHA-256 of the part that all credentials of the family share: who has it has had one of them.
  family_digest bytea NOT NULL,
  -- Which state of the row this is: random, new with each step. A step is taken only from the state that it was decided on.
  version bigint NOT NULL,
  current_digest bytea NOT NULL,
  -- The credential before, while its successor was never presented; from when it is the former one; what it is answered with, sealed
  -- under a key that follows from it; and when that was made.
  previous_digest bytea,
  rotated_at bigint,
  sealed_successor bytea,
  successor_at bigint,
  -- Successors made.
  renewals bigint NOT NULL,
  create_time bigint NOT NULL,
  idle_ms bigint NOT NULL,
  idle_expiry bigint NOT NULL,
  -- null: none.
  absolute_expiry bigint,
  ended_at bigint,
  end_reason text,
  -- Evidence for the rollout: first proof that the client keeps what it is given, last use of a session token by it.
  proved_at bigint,
  session_token_used_at bigint,
  PRIMARY KEY (slot, id),
  CHECK ((ended_at IS NULL) = (end_reason IS NULL)),
  CHECK (num_nulls(previous_digest, rotated_at, sealed_successor, successor_at) IN (0, 4))
) WITH (fillfactor = 80);
-- No column that a renewal changes is in an index, so a renewal touches none of them (HOT).
CREATE INDEX token_family_session ON token_family (slot, session_id);
CREATE INDEX token_family_user ON token_family (user_id);
-- Its condition is written so that only the statement which asks for it in these words uses it: the planner would take it
-- for look-ups by key too, and read all living families.
CREATE INDEX token_family_alive ON token_family (coalesce(absolute_expiry, 9007199254740991)) WHERE num_nulls(ended_at) = 1;

-- What is known of each client of a session, for a read by (slot, id of the session).
CREATE VIEW token_family_evidence AS
  SELECT c.slot, c.session_id AS id, json_agg(json_build_array(
    c.client_id, c.proved_at, c.session_token_used_at, c.alive_until) ORDER BY c.client_id) AS clients
  FROM (
    SELECT slot, session_id, client_id, min(proved_at) AS proved_at, max(session_token_used_at) AS session_token_used_at,
      max(least(idle_expiry, absolute_expiry)) FILTER (WHERE ended_at IS NULL) AS alive_until
    FROM token_family GROUP BY slot, session_id, client_id
  ) c GROUP BY c.slot, c.session_id;
