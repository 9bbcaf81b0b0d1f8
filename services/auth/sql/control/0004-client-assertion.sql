-- Client assertions that were used (RFC 7523 section 3, jti), by a digest of client and jti, until they have expired anyway:
-- whichever instance is shown one again refuses it. Times in epoch milliseconds.
CREATE TABLE client_assertion (
  digest bytea PRIMARY KEY,
  expire_time bigint NOT NULL
);
CREATE INDEX client_assertion_expire_time ON client_assertion (expire_time);
