-- The worker ids that time-ordered ids are made under. Whoever holds one makes ids only with times up to `high_water`,
-- which is written ahead; the next holder makes them only with later times. That alone keeps ids unique; the lease
-- keeps a worker id from being taken from a process that is still alive.
CREATE TABLE worker_id (
  id int PRIMARY KEY CHECK (id BETWEEN 0 AND 1023),
  holder text,
  lease_until bigint NOT NULL DEFAULT 0,
  high_water bigint NOT NULL DEFAULT 0
);
INSERT INTO worker_id (id) SELECT generate_series(0, 1023);
