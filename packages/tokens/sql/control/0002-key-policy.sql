ALTER TABLE signing_key
  -- Where the key comes from.
  ADD COLUMN origin text NOT NULL DEFAULT 'made' CHECK (origin IN ('made', 'imported')),
  -- Beyond the longest life of a token: how long one of this key may still have to be verified. Only ever raised.
  ADD COLUMN grace_ms bigint NOT NULL DEFAULT 0 CHECK (grace_ms >= 0),
  -- Tokens signed, and when last; written at most once a minute by each issuer, so a process that is killed takes its last minute along.
  ADD COLUMN issued bigint NOT NULL DEFAULT 0,
  ADD COLUMN last_used_at bigint;

-- What the next shared key is to sign with. One row. `configured` is what an issuer's configuration said when it last said
-- something new, `wanted` follows it, or a command that came later: so issuers with an old and a new configuration, side by
-- side while they are restarted one by one, do not take turns in changing it back.
CREATE TABLE key_policy (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  configured text,
  wanted_alg text NOT NULL CHECK (wanted_alg IN ('ES256', 'RS256', 'EdDSA')),
  wanted_rsa_bits int NOT NULL,
  changed_at bigint NOT NULL DEFAULT wherry_now()
);
