-- The migration: one row, changed by compare-and-set on `version`.
CREATE TABLE migration (
  id int PRIMARY KEY DEFAULT 1 CHECK (id = 1),
  version bigint NOT NULL DEFAULT 1,
  step text NOT NULL DEFAULT 'plan' CHECK (step IN ('plan', 'mirror', 'copy', 'verify', 'shadow', 'switch', 'settle', 'settled')),
  -- Where the primary side is to end up, and for how many per cent of the slots.
  goal text NOT NULL DEFAULT 'target' CHECK (goal IN ('source', 'target')),
  goal_percent int NOT NULL DEFAULT 100 CHECK (goal_percent BETWEEN 0 AND 100),
  paused boolean NOT NULL DEFAULT false,
  -- Sessions a second, 0: as fast as the stores allow.
  rate int NOT NULL DEFAULT 0 CHECK (rate >= 0),
  -- Orders the slots for the switch.
  salt text NOT NULL,
  -- The instance that drives it; it counts while its lease lives.
  leader text,
  -- Start of the last verification that ended without a difference, and whether differences were left by the last one.
  verified_since bigint,
  updated_at bigint NOT NULL DEFAULT wherry_now()
);

-- Resume state of the passes over partitions. A checkpoint is written after what it covers.
CREATE TABLE migration_pass (
  pass text NOT NULL,
  part text NOT NULL,
  incarnation text NOT NULL,
  cursor text,
  done boolean NOT NULL DEFAULT false,
  counts jsonb NOT NULL DEFAULT '{}',
  started_at bigint NOT NULL DEFAULT wherry_now(),
  PRIMARY KEY (pass, part)
);

-- What happened, for people and for the proof that nothing was skipped.
CREATE TABLE migration_journal (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at bigint NOT NULL DEFAULT wherry_now(),
  instance text NOT NULL,
  point text NOT NULL,
  details jsonb NOT NULL DEFAULT '{}'
);

-- Differences that outlived the grace, by class; the last pass only.
CREATE TABLE migration_difference (
  slot int NOT NULL,
  id bigint NOT NULL,
  class text NOT NULL,
  detail text NOT NULL,
  seen_at bigint NOT NULL DEFAULT wherry_now(),
  repaired boolean NOT NULL DEFAULT false,
  PRIMARY KEY (slot, id)
);
