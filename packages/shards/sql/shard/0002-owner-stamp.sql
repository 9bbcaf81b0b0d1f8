-- Which state of `slot_owner` a statement sees: one random number a state, so that a reader who knows the owners as of a
-- stamp need not look each of them up. Random and not counted: after a fail-over that lost the last changes a count would
-- come again for another state. Readers see stamp and owners in one snapshot; changes of the stamp queue for its row, so
-- each commit makes a stamp of its own.
CREATE TABLE slot_owner_stamp (
  only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
  stamp bigint NOT NULL CHECK (stamp > 0)
) WITH (fillfactor = 10);

INSERT INTO slot_owner_stamp (stamp) VALUES (1 + (random() * 4503599627370494)::bigint);

-- The stamp has to change with the owners however they are changed: also in a session that restores or replicates
-- (`session_replication_role`), and in one without our schema on its path, as pg_restore's is.
CREATE FUNCTION change_slot_owner_stamp() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  UPDATE slot_owner_stamp SET stamp = 1 + (random() * 4503599627370494)::bigint;
  RETURN NULL;
END
$$;

-- Readers ask for slot and epoch alone: a slot that is closing is read as before.
CREATE FUNCTION change_slot_owner_stamp_if_epoch() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  IF EXISTS (SELECT FROM old_owner o FULL JOIN new_owner n USING (slot) WHERE o.epoch IS DISTINCT FROM n.epoch) THEN
    UPDATE slot_owner_stamp SET stamp = 1 + (random() * 4503599627370494)::bigint;
  END IF;
  RETURN NULL;
END
$$;

CREATE TRIGGER stamp_inserted AFTER INSERT ON slot_owner FOR EACH STATEMENT EXECUTE FUNCTION change_slot_owner_stamp();
CREATE TRIGGER stamp_deleted AFTER DELETE ON slot_owner FOR EACH STATEMENT EXECUTE FUNCTION change_slot_owner_stamp();
CREATE TRIGGER stamp_truncated AFTER TRUNCATE ON slot_owner FOR EACH STATEMENT EXECUTE FUNCTION change_slot_owner_stamp();
CREATE TRIGGER stamp_updated AFTER UPDATE ON slot_owner REFERENCING OLD TABLE AS old_owner NEW TABLE AS new_owner
  FOR EACH STATEMENT EXECUTE FUNCTION change_slot_owner_stamp_if_epoch();

ALTER TABLE slot_owner ENABLE ALWAYS TRIGGER stamp_inserted;
ALTER TABLE slot_owner ENABLE ALWAYS TRIGGER stamp_deleted;
ALTER TABLE slot_owner ENABLE ALWAYS TRIGGER stamp_truncated;
ALTER TABLE slot_owner ENABLE ALWAYS TRIGGER stamp_updated;
