-- Verifications: one row a pass over both stores, made at its start, so that one which is resumed after a crash still
-- counts from there: what it compared before says nothing of what happened since.
CREATE TABLE migration_verification (
  pass bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  started_at bigint NOT NULL DEFAULT wherry_now(),
  -- null: it is under way, or waits to be resumed.
  ended_at bigint,
  compared bigint NOT NULL DEFAULT 0,
  -- Differences that outlived the grace, by class.
  differences jsonb NOT NULL DEFAULT '{}'
);
CREATE UNIQUE INDEX migration_verification_one_open ON migration_verification ((true)) WHERE ended_at IS NULL;

-- The pass that saw it last.
ALTER TABLE migration_difference ADD COLUMN pass bigint NOT NULL DEFAULT 0;

-- When an operator asked for another verification; one that began later has answered.
ALTER TABLE migration ADD COLUMN verify_asked_at bigint;
