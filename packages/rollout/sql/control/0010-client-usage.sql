-- Which clients still use which credential: coarse sums that the gateways and the auth service add to. Times are epoch
-- milliseconds by the control database's clock, as the reporting process reckons it.
CREATE TABLE client_usage (
  client_id text NOT NULL,
  -- Empty: the client did not say.
  version text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('jwt', 'session_token', 'cookie')),
  first_used bigint NOT NULL,
  last_used bigint NOT NULL,
  requests bigint NOT NULL,
  PRIMARY KEY (client_id, version, kind)
);

-- Who reports, and from when to when without a gap. `closed`: it ended by its own hand, with everything reported. A row
-- that is not closed, of an instance that lives no more, may have seen uses that nobody was told of.
CREATE TABLE usage_reporter (
  instance text PRIMARY KEY,
  role text NOT NULL,
  since bigint NOT NULL,
  until bigint NOT NULL,
  closed boolean NOT NULL DEFAULT false
);
