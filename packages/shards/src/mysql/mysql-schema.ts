import { createHash } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import { WherryError } from '@wherry/core';
import type { MysqlDatabase } from './mysql-database.ts';

/** The lock is asked for so often, and waited for so long each time: a statement has to be answered sooner than a pool gives it up. */
const LOCK_TRIES = 30;
const LOCK_SECONDS = 2;

/**
 * Brings a database to the state of the numbered files in `folders`, each applied once, one process at a time. DDL commits
 * as it goes on MySQL, so what a crash leaves half done is done again: every statement of a file can be repeated. A file
 * that was changed after it had been applied is refused (`config_invalid`).
 */
export async function applyMysqlSchema(
  database: MysqlDatabase,
  folders: readonly { readonly part: string; readonly folder: URL }[],
): Promise<void> {
  await database.session(async ({ run }) => {
    let locked = false;
    for (let attempt = 0; attempt < LOCK_TRIES && !locked; attempt++) {
      const { rows } = await run(`SELECT GET_LOCK('wherry-schema', ${LOCK_SECONDS})`);
      locked = rows[0]?.[0]?.toString('latin1') === '1';
    }
    if (!locked) throw new WherryError('shard_unavailable', 'another process changes the tables of a shard');
    try {
      await run(`CREATE TABLE IF NOT EXISTS schema_file (part varchar(64), file varchar(128), checksum varchar(64) NOT NULL, PRIMARY KEY (part, file))
        ENGINE = InnoDB DEFAULT CHARSET = ascii`);
      const { rows } = await run('SELECT part, file, checksum FROM schema_file');
      const applied = new Map(rows.map(([part, file, checksum]) => [`${String(part)}/${String(file)}`, String(checksum)]));
      for (const { part, folder } of folders) {
        for (const file of (await readdir(folder)).filter((name) => /^\d{4}-[a-z0-9-]+\.sql$/.test(name)).toSorted()) {
          const sql = await readFile(new URL(file, folder), 'utf8');
          const checksum = createHash('sha256').update(sql).digest('hex');
          const known = applied.get(`${part}/${file}`);
          if (known === checksum) continue;
          if (known !== undefined)
            throw new WherryError('config_invalid', `schema file ${part}/${file} was changed after it had been applied`);
          await run(sql);
          await run('INSERT INTO schema_file (part, file, checksum) VALUES ($1, $2, $3)', [part, file, checksum]);
        }
      }
    } finally {
      await run(`SELECT RELEASE_LOCK('wherry-schema')`).catch(() => undefined);
    }
  });
}
