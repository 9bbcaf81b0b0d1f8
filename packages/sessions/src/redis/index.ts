export type { RedisCommander } from './connection.ts';
export { createRedisSource, type RedisSourceOptions } from './source.ts';
