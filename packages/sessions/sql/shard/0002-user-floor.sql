-- The least generation of each user that lives, on every shard: for readers that have no news of it. It only rises.
CREATE TABLE user_floor (
  -- SHA-256 of the user id, in hexadecimal.
  user_key char(64) PRIMARY KEY,
  generation bigint NOT NULL
);
