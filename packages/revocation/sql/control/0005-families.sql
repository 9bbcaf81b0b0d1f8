-- family: all access tokens that came with one family of refresh tokens, and those that were made from them. key is the
-- family's id as decimal text, value the second in which it ended; forgotten when none of its tokens can live any more.
ALTER TABLE revocation DROP CONSTRAINT revocation_kind_check;
ALTER TABLE revocation ADD CONSTRAINT revocation_kind_check
  CHECK (kind IN ('session', 'session_tokens', 'family', 'user', 'issuer', 'token', 'disabled'));
