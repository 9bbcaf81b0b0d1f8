-- One row a key, kept for ever: a key id names one key and is never used again.
-- next: published, so that verifiers take it in; signs nothing. active: signs. retiring: signs nothing, verifies until no
-- token signed by it can live. gone: neither; its private part is destroyed.
CREATE TABLE signing_key (
  kid text PRIMARY KEY,
  alg text NOT NULL CHECK (alg IN ('ES256', 'RS256', 'EdDSA')),
  state text NOT NULL CHECK (state IN ('next', 'active', 'retiring', 'gone')),
  public_jwk jsonb NOT NULL,
  -- Null where the private part never leaves its process, and where it was destroyed.
  sealed_private bytea,
  -- The instance whose own key it is; null for a key that all issuers share.
  owner_instance text,
  -- No token signed by it lives longer than this many seconds.
  longest_life_s int NOT NULL CHECK (longest_life_s > 0),
  created_at bigint NOT NULL DEFAULT wherry_now(),
  -- Not to sign before this moment: readers of the published set may hold an older one until then.
  signs_after bigint NOT NULL,
  activated_at bigint,
  -- retiring: the moment from which on no token signed by it can live.
  keep_until bigint,
  -- Where the row's last change stands in the feed topic 'keys'.
  seq bigint NOT NULL,
  CHECK (state <> 'retiring' OR keep_until IS NOT NULL),
  CHECK (state <> 'gone' OR sealed_private IS NULL)
);
CREATE INDEX signing_key_seq ON signing_key (seq);
CREATE UNIQUE INDEX signing_key_one_active ON signing_key ((true)) WHERE state = 'active' AND owner_instance IS NULL;
CREATE UNIQUE INDEX signing_key_one_next ON signing_key ((true)) WHERE state = 'next' AND owner_instance IS NULL;
