-- Who owns each slot. A change raises the topic `slot-map` and stamps its rows with that number, so `seq` orders all
-- that ever happened to a slot: the shards' `slot_owner` is a replica that applies a row only over an older one.
CREATE TABLE slot_map (
  slot int PRIMARY KEY CHECK (slot >= 0),
  shard int NOT NULL CHECK (shard >= 0),
  epoch bigint NOT NULL CHECK (epoch > 0),
  primary_side text NOT NULL CHECK (primary_side IN ('source', 'target')),
  state text NOT NULL CHECK (state IN ('open', 'closing')),
  -- After this moment of the control database's clock anybody may open the slot again.
  closing_until bigint,
  seq bigint NOT NULL,
  CHECK ((state = 'closing') = (closing_until IS NOT NULL))
);
CREATE INDEX slot_map_seq ON slot_map (seq);
