export { scanSessions, type ScanCursor, type ScanOptions, type SessionCounts, type SessionScanPage } from './scan.ts';
export { sessionsShardSchema } from './schema.ts';
export { SqlSessions, type SaveResult, type SqlSessionsOptions } from './sql-sessions.ts';
export type { SessionRead, SessionTombstone, SessionTouch, StoredSession } from './stored-session.ts';
