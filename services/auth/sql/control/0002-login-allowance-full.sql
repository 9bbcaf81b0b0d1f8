-- As before; and what is full again by that goes at once. A log-in that came to nothing, for as many names as somebody
-- likes to think of, would else leave its rows to the sweep.
CREATE OR REPLACE FUNCTION wherry_return_login(buckets bytea[], refills bigint[], emptied bytea[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM wherry_lock_logins(buckets);
  DELETE FROM login_allowance WHERE bucket = ANY (emptied);
  UPDATE login_allowance a SET full_at = a.full_at - k.refill FROM unnest(buckets, refills) k(bucket, refill) WHERE a.bucket = k.bucket;
  DELETE FROM login_allowance WHERE bucket = ANY (buckets) AND full_at <= wherry_now();
END $$;
