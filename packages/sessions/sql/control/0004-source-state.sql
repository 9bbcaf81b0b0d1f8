-- Whether the source is in use. `retired`: nobody of ours reads it or writes to it any more.
CREATE TABLE source_state (
  id int PRIMARY KEY DEFAULT 1 CHECK (id = 1),
  retired boolean NOT NULL,
  since bigint NOT NULL,
  seq bigint NOT NULL
);
