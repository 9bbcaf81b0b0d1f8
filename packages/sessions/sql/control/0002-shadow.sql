-- Shadow reads: for which share of their reads the readers also look at the other side, and what they found.
CREATE TABLE shadow (
  id int PRIMARY KEY DEFAULT 1 CHECK (id = 1),
  share real NOT NULL CHECK (share BETWEEN 0 AND 1),
  round bigint NOT NULL,
  seq bigint NOT NULL
);
CREATE TABLE shadow_count (
  instance text PRIMARY KEY,
  round bigint NOT NULL,
  compared bigint NOT NULL,
  different bigint NOT NULL
);
