-- The parts of a pass are shared out to workers. A claim counts while the lease of its worker's instance lives; its number is
-- new each time a part is taken, and never used again, so whoever has lost a part cannot write under a later claim of it.
CREATE SEQUENCE migration_claim;

ALTER TABLE migration_pass
  ADD COLUMN position int NOT NULL DEFAULT 0,
  -- Of passes that come again, which one: 0 for the copy, the number of the verification.
  ADD COLUMN run bigint NOT NULL DEFAULT 0,
  -- About how many sessions it holds; 0: unknown.
  ADD COLUMN expected bigint NOT NULL DEFAULT 0,
  -- The instance that works on it, and the number of its claim.
  ADD COLUMN worker text,
  ADD COLUMN claim bigint NOT NULL DEFAULT 0,
  -- As of the last checkpoint: sessions a second, and what holds the worker back.
  ADD COLUMN rate real NOT NULL DEFAULT 0,
  ADD COLUMN pace jsonb NOT NULL DEFAULT '{}',
  ADD COLUMN updated_at bigint NOT NULL DEFAULT wherry_now();

ALTER TABLE migration
  -- Sessions read and written at a time; 0: as each process is configured.
  ADD COLUMN batch int NOT NULL DEFAULT 0 CHECK (batch BETWEEN 0 AND 5000),
  -- An operator wants an end: the primary side goes back to the source everywhere, then all progress is forgotten.
  ADD COLUMN aborting boolean NOT NULL DEFAULT false,
  -- When that was reached; a wish to go on makes it null.
  ADD COLUMN aborted_at bigint;
