-- Where an account was signed in to lately: the account and the pair of account and address, digests both. Such a pair is
-- judged by its own bucket alone, so that nobody elsewhere uses up what its owner may.
CREATE TABLE login_known (
  account bytea NOT NULL,
  pair bytea NOT NULL,
  until bigint NOT NULL,
  PRIMARY KEY (account, pair)
);
CREATE INDEX login_known_until ON login_known (until);

-- As with three parameters; and `known` tells that only the first bucket was asked, the pair's, because `account` was
-- signed in to from there lately. `account` null: the first bucket is not of a pair.
CREATE FUNCTION wherry_take_login(buckets bytea[], refills bigint[], sizes bigint[], account bytea, OUT refused int, OUT wait bigint, OUT known boolean)
LANGUAGE plpgsql AS $$
BEGIN
  known := EXISTS (SELECT FROM login_known k WHERE k.account = $4 AND k.pair = buckets[1] AND k.until > wherry_now());
  IF known THEN
    SELECT t.refused, t.wait INTO refused, wait FROM wherry_take_login(buckets[1:1], refills[1:1], sizes[1:1]) t;
  ELSE
    SELECT t.refused, t.wait INTO refused, wait FROM wherry_take_login(buckets, refills, sizes) t;
  END IF;
END $$;

-- Remembers a pair for `life` ms, and of its account the newest `most` pairs. It is written at most once in a tenth of that time.
CREATE FUNCTION wherry_know_login(account bytea, pair bytea, life bigint, most int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM wherry_lock_logins(ARRAY[$1]);
  INSERT INTO login_known AS k (account, pair, until) VALUES ($1, $2, wherry_now() + life)
  ON CONFLICT ON CONSTRAINT login_known_pkey DO UPDATE SET until = excluded.until WHERE k.until < excluded.until - life / 10;
  IF FOUND THEN
    DELETE FROM login_known k WHERE k.account = $1
      AND k.pair NOT IN (SELECT n.pair FROM login_known n WHERE n.account = $1 ORDER BY n.until DESC, n.pair = $2 DESC LIMIT most);
  END IF;
END $$;
