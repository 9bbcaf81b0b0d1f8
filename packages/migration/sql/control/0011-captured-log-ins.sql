-- What the capture knows of users whose generation was raised; see capture/raised-users.ts.
-- True: every session that lived at the source at the place `at`, or before it while the capture ran, is known.
ALTER TABLE migration_capture ADD COLUMN whole boolean NOT NULL DEFAULT false;
-- At the place `at`, no session lived at the source that a change of this number or an earlier one has ended.
ALTER TABLE migration_capture ADD COLUMN settled_seq bigint NOT NULL DEFAULT 0;
