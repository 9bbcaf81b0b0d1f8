import { createHash } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import { pause } from '../backoff.ts';
import { WherryError } from '../errors.ts';
import { transaction, type Database, type Transaction } from './database.ts';

/** Where the numbered SQL files of one part live: `0001-name.sql`, `0002-name.sql`, … */
export interface SchemaPart {
  /** The part's name in the table of applied files, e.g. `core`. */
  readonly part: string;
  /** The folder, ending with a slash. */
  readonly folder: URL;
}

/** Keeps two processes that start together from applying the same file. The number is arbitrary but fixed. */
const SCHEMA_LOCK = 7_305_402_211n;
/** How long a process waits for others that apply files, milliseconds, and how often it looks. */
const LOCK_MS = 60_000;
const LOOK_EVERY_MS = 100;

/**
 * Brings a database to the state of the numbered files, each applied once, all in one transaction: a failure leaves the
 * database as it was. A file that was changed after it had been applied is refused (`config_invalid`): numbers are
 * never reused. `control_unavailable` where another process is at it for a minute.
 */
export async function applySchema(database: Database, parts: readonly SchemaPart[]): Promise<void> {
  await transaction(database, async (tx) => {
    await takeLock(tx);
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

/** Asked for again and again: one statement that waits would meet the bound of statements, where several processes start on a slow machine. */
async function takeLock(tx: Transaction): Promise<void> {
  for (const until = performance.now() + LOCK_MS; performance.now() < until; await pause(LOOK_EVERY_MS)) {
    const { rows } = await tx.query<{ taken: boolean }>('SELECT pg_try_advisory_xact_lock($1) AS taken', [SCHEMA_LOCK]);
    if (rows[0]?.taken === true) return;
  }
  throw new WherryError('control_unavailable', 'another process has been applying the schema for a minute');
}

async function numberedFiles(folder: URL): Promise<string[]> {
  const files = await readdir(folder);
  return files.filter((file) => /^\d{4}-[a-z0-9-]+\.sql$/.test(file)).toSorted();
}
