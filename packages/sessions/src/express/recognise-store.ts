import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { WherryError } from '@wherry/core';
import type { SessionData, Store } from 'express-session';
import { isConnectMongo, recogniseMongo, type RecognisedMongo } from './recognise-mongo.ts';
import type { RedisCommander } from '../redis/index.ts';
import type { StoreLife } from './ttl.ts';

const DAY_MS = 86_400_000;

/** A session store whose data layout is known, with what is needed to write beside it. */
export type RecognisedStore =
  | {
      readonly layout: 'connect-redis';
      readonly client: RedisCommander;
      readonly prefix: string;
      readonly life: StoreLife;
      readonly defaultIdleMs: number;
      readonly disableTouch: boolean;
    }
  | {
      readonly layout: 'connect-dynamodb';
      readonly client: DynamoDBClient;
      readonly table: string;
      readonly prefix: string;
      readonly hashKey: string;
      readonly life: StoreLife;
      readonly defaultIdleMs: number;
    }
  | RecognisedMongo;

/** The public fields of connect-redis 10. */
interface ConnectRedis {
  readonly client: RedisCommander;
  readonly prefix: string;
  readonly ttl: number | ((session: SessionData) => number);
  readonly disableTTL: boolean;
  readonly disableTouch: boolean;
  readonly serializer: unknown;
}

/** The fields of connect-dynamodb 3. */
interface ConnectDynamo {
  readonly client: DynamoDBClient;
  readonly table: string;
  readonly prefix: string;
  readonly hashKey: string;
  readonly specialKeys: readonly unknown[];
}

/** Tells by its fields which store it is. `config_invalid` for another store, or for options that change the layout. */
export function recogniseStore(store: Store): RecognisedStore {
  if (isConnectRedis(store)) {
    const { client, prefix, ttl, disableTTL, disableTouch, serializer } = store;
    if (serializer !== JSON)
      throw new WherryError('config_invalid', 'the connect-redis store has a serializer of its own; only JSON can be carried over');
    const defaultIdleMs = typeof ttl === 'number' ? ttl * 1000 : DAY_MS;
    return { layout: 'connect-redis', client, prefix, disableTouch, defaultIdleMs, life: { layout: 'connect-redis', ttl, disableTTL } };
  }
  if (isConnectDynamo(store)) {
    const { client, table, prefix, hashKey, specialKeys } = store;
    if (specialKeys.length > 0)
      throw new WherryError('config_invalid', 'the connect-dynamodb store has specialKeys; they cannot be carried over');
    return { layout: 'connect-dynamodb', client, table, prefix, hashKey, defaultIdleMs: DAY_MS, life: { layout: 'connect-dynamodb' } };
  }
  if (isConnectMongo(store)) return recogniseMongo(store);
  throw new WherryError(
    'config_invalid',
    'the session store is not known; connect-redis 10, connect-dynamodb 3 and connect-mongo 6 can be wrapped',
  );
}

function isConnectRedis(store: object): store is ConnectRedis {
  return 'client' in store && 'prefix' in store && 'serializer' in store && 'disableTTL' in store;
}

function isConnectDynamo(store: object): store is ConnectDynamo {
  return 'client' in store && 'prefix' in store && 'hashKey' in store && 'table' in store && 'specialKeys' in store;
}
