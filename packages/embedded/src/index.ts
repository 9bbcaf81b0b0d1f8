export { startDynamo, type DynamoServer } from './dynamo.ts';
export { freePort } from './free-port.ts';
export { startGuarded, type GuardedProcess, type GuardedProcessOptions } from './guarded-process.ts';
export { NginxMissing, startNginx, type NginxOptions, type NginxServer } from './nginx.ts';
export { startPostgres, type PostgresOptions, type PostgresServer } from './postgres.ts';
export { RedisMissing, startRedis, type RedisServer } from './redis.ts';
