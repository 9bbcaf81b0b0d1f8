/** Two transactions that met (deadlock, wait for a lock): the database is well, and a repeat succeeds. */
const CONFLICTS = new Set([1205, 1213]);

/**
 * The server starts, stops, has no connection left, has become read-only in a fail-over, or has ended the statement or its
 * connection: ER_CON_COUNT_ERROR, ER_SERVER_SHUTDOWN, ER_NORMAL_SHUTDOWN, ER_ABORTING_CONNECTION, errors of the network,
 * ER_TOO_MANY_USER_CONNECTIONS, ER_OPTION_PREVENTS_STATEMENT, ER_QUERY_INTERRUPTED, ER_READ_ONLY_MODE,
 * ER_CONNECTION_KILLED, ER_STATEMENT_TIMEOUT, ER_QUERY_TIMEOUT, ER_CLIENT_INTERACTION_TIMEOUT. And a disk that is full,
 * which a person may mend: ER_DISK_FULL, ER_RECORD_FILE_FULL.
 */
const OUTAGES = new Set([1021, 1040, 1053, 1077, 1114, 1152, 1158, 1159, 1160, 1161, 1184, 1203, 1290, 1317, 1836, 1927, 1969, 3024, 4031]);

/** What the driver says of a connection that was lost, and what we say of one that did not answer in time. */
const LOST = new Set(['PROTOCOL_CONNECTION_LOST', 'PROTOCOL_SEQUENCE_TIMEOUT', 'PROTOCOL_ENQUEUE_AFTER_FATAL_ERROR', 'POOL_CLOSED']);

/** ER_NET_PACKET_TOO_LARGE, and values that a column cannot hold but whose SQLSTATE is the general one: ER_TRUNCATED_WRONG_VALUE_FOR_FIELD. */
const ROW_FAULTS = new Set([1153, 1366]);

interface MysqlError extends Error {
  readonly errno?: number;
  readonly code?: string;
  readonly sqlState?: string;
}

/** An error of the server or the driver; undefined: neither, or PostgreSQL's. */
function mysqlError(error: unknown): MysqlError | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined;
  return LOST.has(error.code) || ('sqlState' in error && 'errno' in error) ? (error as MysqlError) : undefined;
}

/** True for two statements that met. */
export function isMysqlConflict(error: unknown): boolean {
  return CONFLICTS.has(mysqlError(error)?.errno ?? 0);
}

/** True when the same statement, which must be idempotent, is worth repeating. */
export function isMysqlTransient(error: unknown): boolean {
  const own = mysqlError(error);
  return own !== undefined && (LOST.has(own.code ?? '') || OUTAGES.has(own.errno ?? 0) || isMysqlConflict(own));
}

/** True when the values of a row are at fault. */
export function isMysqlRowFault(error: unknown): boolean {
  return ROW_FAULTS.has(mysqlError(error)?.errno ?? 0);
}

/** The SQLSTATE that the server gave. */
export function mysqlState(error: unknown): string | undefined {
  return mysqlError(error)?.sqlState;
}
