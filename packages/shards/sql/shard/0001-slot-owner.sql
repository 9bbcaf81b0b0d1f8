-- Epoch milliseconds of this database.
CREATE FUNCTION wherry_now() RETURNS bigint LANGUAGE sql VOLATILE PARALLEL SAFE
  RETURN (extract(epoch FROM clock_timestamp()) * 1000)::bigint;

-- What this shard knows of its slots: a replica of the control database's `slot_map`, in the order of its `seq`.
-- Every write locks its slot's row FOR KEY SHARE under its epoch; every read is judged by these rows
-- (`0002-owner-stamp.sql`). No column but `slot` may ever enter a unique index: an UPDATE must not conflict with FOR KEY
-- SHARE, or closing a slot would hold writers up. An UPDATE alone does not end the writers of a former state either: the
-- row is then deleted and inserted.
CREATE TABLE slot_owner (
  slot int PRIMARY KEY,
  epoch bigint NOT NULL,
  state text NOT NULL CHECK (state IN ('open', 'closing')),
  primary_side text NOT NULL CHECK (primary_side IN ('source', 'target')),
  seq bigint NOT NULL
) WITH (fillfactor = 50);
