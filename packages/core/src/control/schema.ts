import { createHash } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import { WherryError } from '../errors.ts';
import { transaction, type Database } from './database.ts';

/** Where the numbered SQL files of one part live: `0001-name.sql`, `0002-name.sql`, … */
export interface SchemaPart {
  /** The part's name in the table of applied files, e.g. `core`. */
  readonly part: string;
  /** The folder, ending with a slash. */
  readonly folder: URL;
}

/** Keeps two processes that start together from applying the same file. The number is arbitrary but fixed. */
const SCHEMA_LOCK = 7_305_402_211n;

/**
 * Brings a database to the state of the numbered files, each applied once, all in one transaction: a failure leaves the
 * database as it was. A file that was changed after it had been applied is refused (`config_invalid`): numbers are
 * never reused.
 */
export async function applySchema(database: Database, parts: readonly SchemaPart[]): Promise<void> {
  await transaction(database, async (tx) => {
    await tx.query('SELECT pg_advisory_xact_lock($1)', [SCHEMA_LOCK]);
    await tx.query('CREATE TABLE IF NOT EXISTS schema_file (part text, file text, checksum text NOT NULL, PRIMARY KEY (part, file))');
    const applied = await tx.query<{ part: string; file: string; checksum: string }>('SELECT part, file, checksum FROM schema_file');
    const checksums = new Map(applied.rows.map((row) => [`${row.part}/${row.file}`, row.checksum]));
    for (const { part, folder } of parts) {
      for (const file of await numberedFiles(folder)) {
        const sql = await readFile(new URL(file, folder), 'utf8');
        const checksum = createHash('sha256').update(sql).digest('hex');
        const known = checksums.get(`${part}/${file}`);
        if (known === checksum) continue;
        if (known !== undefined)
          throw new WherryError('config_invalid', `schema file ${part}/${file} was changed after it had been applied`);
        await tx.query(sql);
        await tx.query('INSERT INTO schema_file (part, file, checksum) VALUES ($1, $2, $3)', [part, file, checksum]);
      }
    }
  });
}

async function numberedFiles(folder: URL): Promise<string[]> {
  const files = await readdir(folder);
  return files.filter((file) => /^\d{4}-[a-z0-9-]+\.sql$/.test(file)).toSorted();
}
