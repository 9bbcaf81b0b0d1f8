-- Beside sessions, users' generations and issuers: single tokens, and users who are kept out.
-- token: key is the `jti`, value the second of its `exp`; forgotten once it has expired everywhere.
-- disabled: key is the user id, value 1 while he is kept out, 0 since he is not any more. The row stays, because a
-- follower hears of rows that are written and never of rows that are gone.
ALTER TABLE revocation DROP CONSTRAINT revocation_kind_check;
ALTER TABLE revocation ADD CONSTRAINT revocation_kind_check CHECK (kind IN ('session', 'user', 'issuer', 'token', 'disabled'));
