export { createKoaRedisSource } from './koa-source.ts';
export { redisLastUse, type LastUse } from './last-use.ts';
export type { RedisClient, RedisClusterCommander, RedisCommander, RedisSentinelCommander } from './routes.ts';
export { createRedisSource, type RedisSourceOptions } from './source.ts';
export { createSpringRedisSource, type SpringRedisSourceOptions } from './spring/source.ts';
export { createRedisReplicationFeed, type RedisReplicationOptions } from './replication/feed.ts';
export { createRedisNotificationFeed, type RedisNotificationOptions } from './notifications/feed.ts';
