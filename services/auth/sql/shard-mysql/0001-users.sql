-- Users registered here. Times are epoch milliseconds. Text differs by each byte.
-- pending: registration is under way, the name is not proved to be his. active: he has the name. dead: a registration
-- that came to nothing; nobody ever signs in to it, and it is removed.
CREATE TABLE IF NOT EXISTS app_user (
  slot int NOT NULL,
  id bigint NOT NULL,
  -- As he wrote it.
  username varchar(512) NOT NULL,
  -- PHC string of argon2id.
  password_hash varchar(512) NOT NULL,
  -- JSON array of text.
  authorities longtext NOT NULL,
  state varchar(8) NOT NULL CHECK (state IN ('pending', 'active', 'dead')),
  version bigint NOT NULL,
  create_time bigint NOT NULL,
  update_time bigint NOT NULL,
  -- Which message wrote the row last: by it that message learns what it has written.
  write_mark bigint NOT NULL,
  PRIMARY KEY (slot, id),
  INDEX app_user_unfinished (state, create_time)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 /*M! COLLATE = utf8mb4_nopad_bin */ /*!80017 COLLATE = utf8mb4_0900_bin */;

-- Names are unique over all shards: a row's place follows from the hash of the canonical name, and the first one has it.
CREATE TABLE IF NOT EXISTS username (
  slot int NOT NULL,
  -- First 63 bits of the name's SHA-256.
  id bigint NOT NULL,
  -- In canonical form.
  username varchar(512) NOT NULL,
  user_id bigint NOT NULL,
  create_time bigint NOT NULL,
  -- As that of app_user.
  write_mark bigint NOT NULL,
  PRIMARY KEY (slot, id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 /*M! COLLATE = utf8mb4_nopad_bin */ /*!80017 COLLATE = utf8mb4_0900_bin */;
