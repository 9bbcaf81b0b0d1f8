-- The stamp has to change with the owners however they are changed: also by an UPDATE of the slot itself, in a session
-- that restores or replicates (`session_replication_role`), and in one without our schema on its path, as pg_restore's is.
CREATE OR REPLACE FUNCTION change_slot_owner_stamp_if_epoch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM old_owner o FULL JOIN new_owner n USING (slot) WHERE o.epoch IS DISTINCT FROM n.epoch) THEN
    UPDATE slot_owner_stamp SET stamp = 1 + (random() * 4503599627370494)::bigint;
  END IF;
  RETURN NULL;
END
$$;

ALTER FUNCTION change_slot_owner_stamp() SET search_path FROM CURRENT;
ALTER FUNCTION change_slot_owner_stamp_if_epoch() SET search_path FROM CURRENT;
ALTER TABLE slot_owner ENABLE ALWAYS TRIGGER stamp_inserted;
ALTER TABLE slot_owner ENABLE ALWAYS TRIGGER stamp_deleted;
ALTER TABLE slot_owner ENABLE ALWAYS TRIGGER stamp_truncated;
ALTER TABLE slot_owner ENABLE ALWAYS TRIGGER stamp_updated;
