import type { TestProject } from 'vitest/node';
import { startDynamo } from '../dynamo.ts';
import { startMariadb } from '../mariadb.ts';
import { startMongo } from '../mongo.ts';
import { nginxBinary } from '../nginx.ts';
import { startPostgres } from '../postgres.ts';
import { startRedis } from '../redis.ts';

interface Running {
  readonly address: string;
  stop(): Promise<void>;
}

/** How each server that a test file's suffix can name is brought up: an address in the environment goes before starting one. */
const SERVERS: Record<
  string,
  {
    variable: string;
    key: 'postgresUrl' | 'redisUrl' | 'dynamoEndpoint' | 'mongoUrl' | 'mysqlUrl' | 'nginxCommand';
    start: () => Promise<Running>;
  }
> = {
  pg: {
    variable: 'WHERRY_TEST_POSTGRES_URL',
    key: 'postgresUrl',
    start: async () => {
      const server = await startPostgres();
      return { address: server.url('postgres'), stop: server.stop };
    },
  },
  redis: {
    variable: 'WHERRY_TEST_REDIS_URL',
    key: 'redisUrl',
    start: async () => {
      const server = await startRedis();
      return { address: server.url, stop: server.stop };
    },
  },
  dynamo: {
    variable: 'WHERRY_TEST_DYNAMO_ENDPOINT',
    key: 'dynamoEndpoint',
    start: async () => {
      const server = await startDynamo();
      return { address: server.endpoint, stop: server.stop };
    },
  },
  mongo: {
    variable: 'WHERRY_TEST_MONGO_URL',
    key: 'mongoUrl',
    start: async () => {
      const server = await startMongo();
      return { address: server.url, stop: server.stop };
    },
  },
  mysql: {
    variable: 'WHERRY_TEST_MYSQL_URL',
    key: 'mysqlUrl',
    start: async () => {
      const server = await startMariadb();
      return { address: server.url('mysql'), stop: server.stop };
    },
  },
  // Each test has a configuration of its own, so it starts its own.
  nginx: {
    variable: 'WHERRY_TEST_NGINX',
    key: 'nginxCommand',
    start: async () => ({ address: nginxBinary(), stop: async () => undefined }),
  },
};

/** Servers already running for another project of this run, by name; the last user stops one. */
const shared: Map<string, { users: number; running: Promise<Running> }> = ((globalThis as Record<symbol, unknown>)[
  Symbol.for('wherry.test-servers')
] ??= new Map()) as never;

/** Starts the servers that the project's name lists (`pg-redis`: PostgreSQL and Redis) and hands their addresses to its tests. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const names = project.name.split('-');
  for (const name of names) {
    const server = SERVERS[name];
    if (server === undefined) throw new Error(`the project name "${project.name}" names an unknown server "${name}"`);
    const given = process.env[server.variable];
    if (given !== undefined) {
      project.provide(server.key, given);
      continue;
    }
    const entry = shared.get(name) ?? { users: 0, running: server.start() };
    shared.set(name, entry);
    entry.users++;
    project.provide(server.key, (await entry.running).address);
  }
  return async () => {
    for (const name of names) {
      const entry = shared.get(name);
      if (entry === undefined || --entry.users > 0) continue;
      shared.delete(name);
      await (await entry.running).stop();
    }
  };
}
