-- The capture of writes that do not pass through us: one row, made when it begins for the first time. It stays: sessions
-- that were captured carry labels as their versions, which only a capture that goes on keeps comparable.
CREATE TABLE migration_capture (
  id int PRIMARY KEY DEFAULT 1 CHECK (id = 1),
  kind text NOT NULL,
  -- False: changes can be missing although nothing says so.
  reliable boolean NOT NULL,
  -- The instance that captures; it counts while its lease lives.
  leader text,
  state text NOT NULL DEFAULT 'away' CHECK (state IN ('away', 'beginning', 'live')),
  -- What came before this place is at the target.
  history text,
  at bigint NOT NULL DEFAULT 0,
  detail text NOT NULL DEFAULT '',
  -- A label is base + a place. No label above the ceiling was ever given out.
  base bigint NOT NULL DEFAULT 0,
  ceiling bigint NOT NULL DEFAULT 0,
  -- When it last began anew, or lost sight: what was compared before says nothing of what happened until then.
  begun_at bigint NOT NULL DEFAULT wherry_now(),
  lag_ms bigint NOT NULL DEFAULT 0,
  lag_bytes bigint NOT NULL DEFAULT 0,
  -- Since when the operator says that nobody writes past us any more; null: they do.
  released_at bigint,
  -- When somebody was last seen to write past us, and how often to a session whose primary side is the target.
  foreign_at bigint,
  strays bigint NOT NULL DEFAULT 0,
  -- The code of what keeps it from going on.
  fault text,
  updated_at bigint NOT NULL DEFAULT wherry_now()
);
