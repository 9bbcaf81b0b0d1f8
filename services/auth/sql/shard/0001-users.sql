-- Users registered here. Times are epoch milliseconds.
-- pending: registration is under way, the name is not proved to be his. active: he has the name. dead: a registration
-- that came to nothing; nobody ever signs in to it, and it is removed.
CREATE TABLE app_user (
  slot int NOT NULL,
  id bigint NOT NULL,
  -- As he wrote it.
  username text NOT NULL,
  -- PHC string of argon2id.
  password_hash text NOT NULL,
  -- JSON array of text.
  authorities text NOT NULL,
  state text NOT NULL CHECK (state IN ('pending', 'active', 'dead')),
  version bigint NOT NULL,
  create_time bigint NOT NULL,
  update_time bigint NOT NULL,
  PRIMARY KEY (slot, id)
);
CREATE INDEX app_user_unfinished ON app_user (create_time, id) WHERE state <> 'active';

-- Names are unique over all shards: a row's place follows from the hash of the canonical name, and the first one has it.
CREATE TABLE username (
  slot int NOT NULL,
  -- First 63 bits of the name's SHA-256.
  id bigint NOT NULL,
  -- In canonical form.
  username text NOT NULL,
  user_id bigint NOT NULL,
  create_time bigint NOT NULL,
  PRIMARY KEY (slot, id)
);
