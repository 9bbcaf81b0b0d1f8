import type { createDynamoSource } from '../dynamodb/index.ts';
import type { createMongoSource, fromStoredText, toStoredText } from '../mongodb/index.ts';
import type { createRedisSource } from '../redis/index.ts';

/** What reads and writes beside an application's store; undefined where the package of its driver is not installed. */
export interface StoreDrivers {
  readonly redis: { readonly createRedisSource: typeof createRedisSource } | undefined;
  readonly dynamodb: { readonly createDynamoSource: typeof createDynamoSource } | undefined;
  readonly mongodb: MongoDriver | undefined;
}

/** What is needed beside connect-mongo. */
export interface MongoDriver {
  readonly createMongoSource: typeof createMongoSource;
  readonly toStoredText: typeof toStoredText;
  readonly fromStoredText: typeof fromStoredText;
}

/** Loads what is installed: an application has the driver of its own store, and need not have the others. */
export async function loadStoreDrivers(): Promise<StoreDrivers> {
  const [redis, dynamodb, mongodb] = await Promise.all([
    ifInstalled(() => import('../redis/index.ts')),
    ifInstalled(() => import('../dynamodb/index.ts')),
    ifInstalled(() => import('../mongodb/index.ts')),
  ]);
  return { redis, dynamodb, mongodb };
}

async function ifInstalled<T>(load: () => Promise<T>): Promise<T | undefined> {
  try {
    return await load();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}
