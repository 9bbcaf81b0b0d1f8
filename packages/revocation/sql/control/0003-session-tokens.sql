-- session_tokens: the tokens of a session that lives on are ended, because its user or his authorities have changed.
-- key is the session's id as decimal text, value the second up to which tokens are ended. It only rises, by one second at
-- least with each change: tokens that are issued for the session afterwards name a later one.
ALTER TABLE revocation DROP CONSTRAINT revocation_kind_check;
ALTER TABLE revocation ADD CONSTRAINT revocation_kind_check
  CHECK (kind IN ('session', 'session_tokens', 'user', 'issuer', 'token', 'disabled'));

-- Changes of sessions that are under way: what was issued for a session since its line was written may be of before the
-- change, and is ended when the line goes. A crash leaves the line to the sweeper.
CREATE TABLE session_change (
  id uuid PRIMARY KEY,
  -- the session's id as decimal text
  sid text NOT NULL,
  since bigint NOT NULL
);
CREATE INDEX session_change_since ON session_change (since);
