-- Families of renewal credentials, in the slot of their session. Times are epoch milliseconds of this database.
-- Digests only: nobody can make a credential, or open the sealed successor, from what lies here.
CREATE TABLE IF NOT EXISTS token_family (
  slot int NOT NULL,
  -- Random, so that one session may have several: two devices, two clients, two tabs that began alone.
  id bigint NOT NULL,
  session_id bigint NOT NULL,
  user_id varchar(512) NOT NULL,
  client_id varchar(512) NOT NULL,
  mode varchar(16) NOT NULL CHECK (mode IN ('credential', 'bearer')),
  -- Thumbprint of the key that the client has to prove (RFC 9449); null: none.
  bound_to varchar(512),
  user_generation bigint NOT NULL,
  -- SHA-256 of the part that all credentials of the family share: who has it has had one of them.
  family_digest varbinary(32) NOT NULL,
  -- Which state of the row this is: random, new with each step. A step is taken only from the state that it was decided on.
  version bigint NOT NULL,
  current_digest varbinary(32) NOT NULL,
  -- The credential before, while its successor was never presented; from when it is the former one; what it is answered with, sealed
  -- under a key that follows from it; and when that was made.
  previous_digest varbinary(32),
  rotated_at bigint,
  sealed_successor varbinary(512),
  successor_at bigint,
  -- Successors made.
  renewals bigint NOT NULL,
  create_time bigint NOT NULL,
  idle_ms bigint NOT NULL,
  idle_expiry bigint NOT NULL,
  -- null: none.
  absolute_expiry bigint,
  ended_at bigint,
  end_reason varchar(16),
  -- Evidence for the rollout: first proof that the client keeps what it is given, last use of a session token by it.
  proved_at bigint,
  session_token_used_at bigint,
  -- Which message wrote the row last: by it that message learns what it has written.
  write_mark bigint NOT NULL,
  PRIMARY KEY (slot, id),
  -- No column that a renewal changes is in an index, so a renewal touches none of them.
  INDEX token_family_session (slot, session_id),
  INDEX token_family_user (user_id),
  INDEX token_family_alive (ended_at, absolute_expiry),
  CHECK ((ended_at IS NULL) = (end_reason IS NULL)),
  CHECK ((previous_digest IS NULL) + (rotated_at IS NULL) + (sealed_successor IS NULL) + (successor_at IS NULL) IN (0, 4))
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 /*M! COLLATE = utf8mb4_nopad_bin */ /*!80017 COLLATE = utf8mb4_0900_bin */;
