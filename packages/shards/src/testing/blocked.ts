import { asMysql, type ShardDatabase } from '../shard-database.ts';

const WAITING = {
  postgres: {
    text: `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    everyMs: 5,
  },
  mysql: {
    text: `SELECT 1 FROM information_schema.innodb_trx t JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id
      WHERE p.db = DATABASE() AND t.trx_state = 'LOCK WAIT'`,
    // The server looks anew only when nobody has asked for 100 ms: who asks more often gets the same answer for ever.
    everyMs: 150,
  },
};

/** Resolves when a statement on this database waits for a lock. */
export async function untilBlocked(database: ShardDatabase): Promise<void> {
  const { text, everyMs } = WAITING[asMysql(database) === undefined ? 'postgres' : 'mysql'];
  while ((await database.query(text)).rowCount === 0) await new Promise((resolve) => setTimeout(resolve, everyMs));
}
