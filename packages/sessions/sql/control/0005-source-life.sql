-- Which servers of the source are read and written, by the names of their lives: a store that may forget what it has
-- acknowledged begins a new one whenever it restarts or a replica takes over. Absent where the source never forgets.
CREATE TABLE source_life (
  id int PRIMARY KEY DEFAULT 1 CHECK (id = 1),
  lives text[] NOT NULL,
  -- lives that were replaced: a server that still has one is not to be believed
  former text[] NOT NULL DEFAULT '{}',
  -- how often they were replaced
  changes int NOT NULL DEFAULT 0,
  -- when the last time; 0: never
  since bigint NOT NULL DEFAULT 0,
  -- start of the verification that has compared both sides after it; null while none has
  compared_at bigint
);
