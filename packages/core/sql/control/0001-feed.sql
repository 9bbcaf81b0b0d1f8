-- Epoch milliseconds of this database: the one clock that leases and expiries are compared on.
CREATE FUNCTION wherry_now() RETURNS bigint LANGUAGE sql VOLATILE PARALLEL SAFE
  RETURN (extract(epoch FROM clock_timestamp()) * 1000)::bigint;

-- One row a topic. Whoever changes a topic's rows raises `seq` in the same transaction; the row lock is held to the
-- commit, so sequence numbers become visible in their order and a follower that has seen n has missed nothing below.
CREATE TABLE feed_topic (
  topic text PRIMARY KEY,
  seq bigint NOT NULL DEFAULT 0
);

-- One row a run of a process. `acked` holds, for each topic that it follows, the sequence number up to which it acts.
-- live and lease_until in the past: it lapsed, and what it did last is uncertain. left: it ended by its own hand, all
-- its work done. settled: it lapsed, and what it may have left behind was looked after.
CREATE TABLE instance (
  id text PRIMARY KEY,
  role text NOT NULL,
  state text NOT NULL DEFAULT 'live' CHECK (state IN ('live', 'left', 'settled')),
  started_at bigint NOT NULL,
  lease_until bigint NOT NULL,
  acked jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX instance_live ON instance (lease_until) WHERE state = 'live';

-- Who did what, when and why.
CREATE TABLE audit (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at bigint NOT NULL DEFAULT wherry_now(),
  actor text NOT NULL,
  action text NOT NULL,
  reason text,
  details jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_at ON audit (at);
