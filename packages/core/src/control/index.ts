import type { SchemaPart } from './schema.ts';

export { audit, type AuditEntry } from './audit.ts';
export {
  controlError,
  isTransient,
  openDatabase,
  transaction,
  type Database,
  type DatabaseOptions,
  type Queryable,
  type Transaction,
} from './database.ts';
export { FEED_CHANNEL, leastAcknowledged, nextSeq, nextSeqSql, type FeedTopic } from './feed.ts';
export { Instance, type InstanceOptions } from './instance.ts';
export { applySchema, type SchemaPart } from './schema.ts';

/** The tables of this package in the control database: feed, instances, audit. */
export const coreSchema: SchemaPart = { part: 'core', folder: new URL('../../sql/control/', import.meta.url) };
