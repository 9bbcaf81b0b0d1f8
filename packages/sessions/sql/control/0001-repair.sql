-- A second write that failed: the session may differ between its two stores until a repair has read the primary side
-- again and written that. `source_ref` is the raw id, sealed like the column of the same name in user_session; the key
-- goes with it. `serial` tells a repair that another failure came while it worked.
CREATE TABLE repair_entry (
  slot int NOT NULL,
  id bigint NOT NULL,
  source_ref bytea NOT NULL,
  cause text NOT NULL,
  serial bigint NOT NULL DEFAULT 1,
  attempts int NOT NULL DEFAULT 0,
  created_at bigint NOT NULL DEFAULT wherry_now(),
  next_try_at bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (slot, id)
);
CREATE INDEX repair_entry_due ON repair_entry (next_try_at);

-- A session that cannot be carried without a person's decision. Undecided ones keep the switch from starting.
CREATE TABLE dead_letter (
  slot int NOT NULL,
  id bigint NOT NULL,
  source_ref bytea NOT NULL,
  reason text NOT NULL,
  detail text NOT NULL,
  first_seen bigint NOT NULL DEFAULT wherry_now(),
  last_seen bigint NOT NULL DEFAULT wherry_now(),
  -- abandon: it stays in the source and is not carried; null: nobody has decided
  decision text CHECK (decision IN ('abandon')),
  decided_by text,
  decided_at bigint,
  PRIMARY KEY (slot, id)
);
CREATE INDEX dead_letter_undecided ON dead_letter (slot) WHERE decision IS NULL;
