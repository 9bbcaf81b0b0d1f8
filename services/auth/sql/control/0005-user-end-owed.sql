-- Users whose sessions are to be ended because of a change that is being made: their password, their authorities. A row
-- is written before the change and taken away after the end, so that a crash in between leaves word of it.
CREATE TABLE user_end_owed (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id text NOT NULL,
  reason text NOT NULL,
  since bigint NOT NULL DEFAULT wherry_now()
);
CREATE INDEX user_end_owed_since ON user_end_owed (since);
