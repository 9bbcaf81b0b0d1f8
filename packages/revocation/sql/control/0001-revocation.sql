-- What has ended. A row of kind session is also the termination record of the migration: as long as it is not drained,
-- one of the two stores may still hold the session, and readers must ask here.
CREATE TABLE revocation (
  kind text NOT NULL CHECK (kind IN ('session', 'user', 'issuer')),
  -- session: the row's id as decimal text; user: the user id; issuer: the issuer
  key text NOT NULL,
  -- session: when it ended, epoch ms; user: the least generation that is alive; issuer: not-before, epoch seconds
  value bigint NOT NULL,
  slot int,
  digest bytea,
  reason text NOT NULL,
  drained boolean NOT NULL DEFAULT true,
  expire_time bigint,
  seq bigint NOT NULL,
  PRIMARY KEY (kind, key)
);
CREATE INDEX revocation_seq ON revocation (seq);
CREATE INDEX revocation_undrained ON revocation (slot) WHERE NOT drained;
CREATE INDEX revocation_expired ON revocation (expire_time) WHERE expire_time IS NOT NULL AND drained;
