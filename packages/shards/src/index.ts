export { CircuitBreaker, type BreakerState, type CircuitBreakerOptions } from './circuit-breaker.ts';
export { dialectOf, type ByDialect, type Dialect, type SqlText } from './dialect.ts';
export { FENCE_CODES, fencedSql, type FenceColumn, type FencedSqlOptions } from './fence.ts';
export {
  ANSWER_OFFSET,
  FencedWrite,
  type CurrentOptions,
  type FencedWriteOptions,
  type WriteOutcome,
  type Written,
} from './fenced-write.ts';
export { GatheredRead, type GatheredReadOptions, type SlotKey } from './gathered-read.ts';
export { documentValue } from './mysql/batch-document.ts';
export type { FencedPacketOptions, MysqlInsert, MysqlUpdate, MysqlWrite } from './mysql/fenced-packet.ts';
export type { MysqlDatabase } from './mysql/mysql-database.ts';
export type { BinaryRow } from './rows/binary-row.ts';
export type { RowReader } from './rows/message-splitter.ts';
export { applyShardSchema, shardSchema, shardsControlSchema, type ShardSchemaPart } from './schema.ts';
export { openShardDatabase, type ShardDatabase } from './shard-database.ts';
export { sqlState } from './shard-error.ts';
export {
  POSTGRES_URL_RULE,
  SHARD_NAME,
  SHARD_NAME_RULE,
  isPostgresUrl,
  requiredShardAddresses,
  shardAddresses,
  shardNames,
  shardVariable,
} from './shard-addresses.ts';
export { ShardSet, type ShardSetOptions } from './shard-set.ts';
export {
  Shard,
  type QueryOptions,
  type RowArray,
  type RowStatement,
  type ShardAddress,
  type ShardCounts,
  type ShardOptions,
  type Statement,
} from './shard.ts';
export type { PrimarySide, SlotEntry, SlotState } from './slot-entry.ts';
export { SlotFollower, type SlotFollowerOptions } from './slot-follower.ts';
export {
  SLOT_MAP_TOPIC,
  abortClosing,
  abortClosingOf,
  abortExpiredClosings,
  beginClosing,
  commitSide,
  initialiseSlotMap,
  readSlotMap,
  type ChangeOptions,
  type Closing,
} from './slot-map-changes.ts';
export { SlotMap, type EnterOptions, type SlotMapOptions } from './slot-map.ts';
export { applyOwners, closeOnShard, installOwners, installSlotMap, openOnShard, type OwnerEntry } from './slot-owners.ts';
export type { SlotPassage } from './slot-passage.ts';
export { SLOT_COUNT, slotOf } from './slot.ts';
export { SnowflakeIds, type SnowflakeIdsOptions } from './snowflake-ids.ts';
export {
  SNOWFLAKE_EPOCH,
  Snowflake,
  WORKER_COUNT,
  snowflakeParts,
  type SnowflakeOptions,
  type SnowflakeParts,
  type SnowflakeWorker,
} from './snowflake.ts';
