import { WherryError } from '@wherry/core';
import { isTransient } from '@wherry/core/control';
import { isMysqlConflict, isMysqlRowFault, isMysqlTransient, mysqlState } from './mysql/mysql-error.ts';

/** Two statements that met: the database is well, and a repeat succeeds. */
const CONFLICT = /^(40001|40P01|55P03)$/;

/** The SQLSTATE of a database error, or of the one that an error of ours wraps. */
export function sqlState(error: unknown): string | undefined {
  if (error instanceof WherryError) return sqlState(error.cause);
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined;
  return mysqlState(error) ?? (/^[0-9A-Z]{5}$/.test(error.code) ? error.code : undefined);
}

/** True when the same statement, which must be idempotent, is worth repeating. */
export function isShardTransient(error: unknown): boolean {
  return isTransient(error) || isMysqlTransient(error);
}

/** True when the database did not answer, rather than answered with an error. */
export function isOutage(error: unknown): boolean {
  return isShardTransient(error) && !isMysqlConflict(error) && !CONFLICT.test(sqlState(error) ?? '');
}

/** True when the values of a row are at fault, so that the same statement without it would succeed. */
export function isRowFault(error: unknown): boolean {
  if (error instanceof WherryError && error.code === 'record_unstorable') return true;
  // 54000: an entry is too long for an index.
  return /^(2[23]|54000)/.test(sqlState(error) ?? '') || isMysqlRowFault(error instanceof WherryError ? error.cause : error);
}

/** True when a row is there already under another unique key than the one that was asked for (PostgreSQL's unique_violation). */
export function isDuplicate(error: unknown): boolean {
  return sqlState(error) === '23505';
}

/** What leaves the shard set: `shard_unavailable`, or `internal` for a statement that was refused. The driver's text stays in `cause`: it can quote values. */
export function shardError(shard: string, error: unknown): WherryError {
  if (error instanceof WherryError) return error;
  if (isShardTransient(error))
    return new WherryError('shard_unavailable', `shard ${shard} cannot be reached`, { cause: error, data: { shard } });
  return new WherryError('internal', `shard ${shard} refused a statement`, { cause: error, data: { shard, sqlstate: sqlState(error) } });
}
