-- Which state of `slot_owner` a statement sees: one random number a state, so that a reader who knows the owners as of a
-- stamp need not look each of them up. Random and not counted: after a fail-over that lost the last changes a count would
-- come again for another state. Readers see stamp and owners in one snapshot; changes of the stamp queue for its row, so
-- each commit makes a stamp of its own.
CREATE TABLE slot_owner_stamp (
  only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
  stamp bigint NOT NULL CHECK (stamp > 0)
) WITH (fillfactor = 10);

INSERT INTO slot_owner_stamp (stamp) VALUES (1 + (random() * 4503599627370494)::bigint);

CREATE FUNCTION change_slot_owner_stamp() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE slot_owner_stamp SET stamp = 1 + (random() * 4503599627370494)::bigint;
  RETURN NULL;
END
$$;

-- Readers ask for slot and epoch alone: a slot that is closing is read as before.
CREATE FUNCTION change_slot_owner_stamp_if_epoch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM old_owner o JOIN new_owner n USING (slot) WHERE o.epoch <> n.epoch) THEN
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
