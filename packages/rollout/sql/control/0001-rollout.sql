-- How far the change from session tokens to access tokens has come: one row, changed by compare-and-set on `version`.
-- `percent` belongs to the phase `led` alone. The salt is drawn once: with another one, other users would be led.
CREATE TABLE rollout (
  id int PRIMARY KEY CHECK (id = 1),
  version bigint NOT NULL,
  phase text NOT NULL CHECK (phase IN ('stateful', 'dual', 'led')),
  percent numeric(5, 2) CHECK (percent BETWEEN 0 AND 100),
  salt text NOT NULL,
  changed_at bigint NOT NULL,
  seq bigint NOT NULL,
  CHECK ((phase = 'led') = (percent IS NOT NULL))
);
INSERT INTO rollout (id, version, phase, salt, changed_at, seq)
VALUES (1, 1, 'stateful', gen_random_uuid()::text || gen_random_uuid()::text, wherry_now(), 0);
