-- The rest of the way, and what holds it up. `course` is the version at which the phase, a share or the settling last
-- changed: figures are gathered by it. `settled` is false in a phase whose narrower half is not in force yet: in drain
-- while an instance may still give out session tokens, in stateful while a family of renewals lives. `retreating`: the
-- last step went back, so clients may have dropped session tokens that they will need.
ALTER TABLE rollout
  DROP CONSTRAINT rollout_phase_check,
  ADD CONSTRAINT rollout_phase_check CHECK (phase IN ('stateful', 'dual', 'led', 'preferred', 'drain', 'retired')),
  ADD COLUMN course bigint NOT NULL DEFAULT 1,
  ADD COLUMN settled boolean NOT NULL DEFAULT true,
  ADD COLUMN retreating boolean NOT NULL DEFAULT false,
  -- null, or who holds it, why, when and at which course.
  ADD COLUMN paused jsonb,
  -- Share of the users who are compared with and not led, in percent.
  ADD COLUMN hold_out numeric(5, 2) NOT NULL DEFAULT 1 CHECK (hold_out BETWEEN 0 AND 50),
  -- How long a client must have used no session token before its own is refused.
  ADD COLUMN quiet_ms bigint NOT NULL DEFAULT 604800000 CHECK (quiet_ms >= 0),
  -- Limits of the guardrails that differ from the program's.
  ADD COLUMN limits jsonb NOT NULL DEFAULT '{}',
  ADD CONSTRAINT rollout_settled_check CHECK (settled OR phase IN ('stateful', 'drain'));
UPDATE rollout SET course = version;

-- Users and clients who are led, or spared, whatever the share is.
CREATE TABLE rollout_list (
  kind text NOT NULL CHECK (kind IN ('user', 'client')),
  value text NOT NULL,
  arm text NOT NULL CHECK (arm IN ('include', 'exclude')),
  PRIMARY KEY (kind, value)
);

-- What instances saw, by course and arm. A writer owns its rows and overwrites them with larger counts, so a repeat is
-- harmless; it begins a row with another number every few seconds. `latency`: requests by class of duration.
CREATE TABLE rollout_sample (
  writer text NOT NULL,
  number int NOT NULL,
  arm text NOT NULL CHECK (arm IN ('cohort', 'control', 'outside')),
  course bigint NOT NULL,
  at bigint NOT NULL DEFAULT wherry_now(),
  ok bigint NOT NULL,
  unauthorized bigint NOT NULL,
  unavailable bigint NOT NULL,
  renewed bigint NOT NULL,
  renewal_failed bigint NOT NULL,
  compared bigint NOT NULL,
  differed bigint NOT NULL,
  signed_out bigint NOT NULL,
  latency bigint[] NOT NULL,
  PRIMARY KEY (writer, number, arm)
);
CREATE INDEX rollout_sample_at ON rollout_sample (at);

-- When the guards look next: one of them each time, however many instances run one.
CREATE TABLE rollout_guard (
  id int PRIMARY KEY CHECK (id = 1),
  next_at bigint NOT NULL
);
INSERT INTO rollout_guard (id, next_at) VALUES (1, 0);
