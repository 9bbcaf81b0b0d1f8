-- How many log-ins may still fail, one row a bucket that is not full. A token bucket kept as one moment (generic cell rate,
-- ITU-T I.371): `full_at` is when it will be full again, each token taken puts it off by the time that a token takes to come
-- back. The key is a digest of what the bucket is for: no names and no addresses lie here.
CREATE TABLE login_allowance (
  bucket bytea PRIMARY KEY,
  full_at bigint NOT NULL
);
CREATE INDEX login_allowance_full_at ON login_allowance (full_at);

-- Locks rather than row locks, because most buckets have no row, and one that is refused must not get one.
CREATE FUNCTION wherry_lock_logins(buckets bytea[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(7305402, l.key)
  FROM (SELECT DISTINCT hashtext(encode(b, 'hex')) AS key FROM unnest(buckets) b ORDER BY 1) l;
END $$;

-- Takes a token from every bucket, or none from any: `refused` is then the place of the one that has to be waited for
-- longest, counted from 1, and `wait` that time in ms. `refills`: ms until a token comes back; `sizes`: tokens of a full one.
CREATE FUNCTION wherry_take_login(buckets bytea[], refills bigint[], sizes bigint[], OUT refused int, OUT wait bigint)
LANGUAGE plpgsql AS $$
DECLARE
  moment bigint;
BEGIN
  PERFORM wherry_lock_logins(buckets);
  moment := wherry_now();
  SELECT k.place, greatest(coalesce(a.full_at, 0), moment) - moment + k.refill - k.refill * k.size INTO refused, wait
  FROM unnest(buckets, refills, sizes) WITH ORDINALITY k(bucket, refill, size, place) LEFT JOIN login_allowance a ON a.bucket = k.bucket
  ORDER BY 2 DESC LIMIT 1;
  IF wait > 0 THEN
    RETURN;
  END IF;
  refused := 0;
  wait := 0;
  INSERT INTO login_allowance AS a (bucket, full_at)
  SELECT k.bucket, moment + k.refill FROM unnest(buckets, refills) k(bucket, refill)
  ON CONFLICT (bucket) DO UPDATE SET full_at = greatest(a.full_at, moment) + (excluded.full_at - moment);
END $$;

-- Gives back what a log-in took that has not failed; buckets in `emptied` are full again.
CREATE FUNCTION wherry_return_login(buckets bytea[], refills bigint[], emptied bytea[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM wherry_lock_logins(buckets);
  DELETE FROM login_allowance WHERE bucket = ANY (emptied);
  UPDATE login_allowance a SET full_at = a.full_at - k.refill FROM unnest(buckets, refills) k(bucket, refill) WHERE a.bucket = k.bucket;
END $$;
