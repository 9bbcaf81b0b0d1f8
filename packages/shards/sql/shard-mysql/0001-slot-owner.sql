-- What this shard knows of its slots: a replica of the control database's `slot_map`, in the order of its `seq`. Every
-- write reads its slot's row by a locking read under its epoch; every read joins it. Text differs by each byte, in MySQL
-- and in MariaDB, which call that order by different names.
CREATE TABLE IF NOT EXISTS slot_owner (
  slot int NOT NULL PRIMARY KEY,
  epoch bigint NOT NULL,
  state varchar(8) NOT NULL CHECK (state IN ('open', 'closing')),
  primary_side varchar(8) NOT NULL CHECK (primary_side IN ('source', 'target')),
  seq bigint NOT NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 /*M! COLLATE = utf8mb4_nopad_bin */ /*!80017 COLLATE = utf8mb4_0900_bin */;
