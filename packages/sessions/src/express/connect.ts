import { Lifecycle, WherryError, silentLogger, type Logger } from '@wherry/core';
import { openDatabase } from '@wherry/core/control';
import { ShardSet } from '@wherry/shards';
import type { Store } from 'express-session';
import { expressJsonDecoder } from '../legacy/express/express-json.ts';
import type { IdentityMapping } from '../legacy/identity-mapping.ts';
import { mongoSessionDecoder } from '../legacy/mongo/mongo-session.ts';
import { SessionRuntime } from '../runtime.ts';
import { parseSourceRefKey } from '../source-ref-key.ts';
import type { SourceStore } from '../source/contract.ts';
import { identityFrom, refuseMasterKey, secretFrom, shardsFrom, sourceRefKeyFrom } from './environment.ts';
import { mongoText } from './recognise-mongo.ts';
import { recogniseStore, type RecognisedStore } from './recognise-store.ts';
import { loadStoreDrivers, type StoreDrivers } from './store-drivers.ts';
import { WrappedStore, type SessionText } from './wrap-store.ts';

/** What {@link connectWherry} needs; what is absent is taken from the environment, secrets also from the file that the variable with `_FILE` at its end names. */
export interface ConnectOptions {
  /** Connection URL of the control database; `WHERRY_CONTROL_URL`. */
  readonly controlUrl?: string;
  /** Connection URLs of the shards, in their order; `WHERRY_SHARDS_URLS`, or `WHERRY_SHARDS_LIST` and `WHERRY_SHARDS_<NAME>_URL`, as for the services. */
  readonly shardUrls?: readonly string[];
  /** As `wherry config app-key` gives it out; `WHERRY_SOURCE_REF_KEY`. The master key is refused: it opens the signing keys too. */
  readonly sourceRefKey?: string;
  /** Where sessions keep who they belong to; `WHERRY_SOURCE_IDENTITY_USER_ID`, `_USERNAME`, `_AUTHORITIES`, with the services' defaults. */
  readonly identity?: IdentityMapping;
  readonly log?: Logger;
}

/** A connection of an application to control database and shards. */
export interface WherryHandle {
  readonly runtime: SessionRuntime;
  readonly identity: IdentityMapping;
  /** What can be written beside. */
  readonly drivers: StoreDrivers;
  /** Writes what was put off and gives the lease back. Call it when the application has stopped taking requests. */
  close(): Promise<void>;
}

/**
 * Connects an application that keeps its sessions in a store of its own, so that {@link wrapStore} can mirror them.
 * Resolves when the slot map is known. Errors: `config_invalid`, `control_unavailable`.
 */
export async function connectWherry(options: ConnectOptions = {}): Promise<WherryHandle> {
  const log = options.log ?? silentLogger;
  const { env } = process;
  refuseMasterKey(env);
  const controlUrl = options.controlUrl ?? secretFrom(env, 'WHERRY_CONTROL_URL');
  const addresses = options.shardUrls?.map((url, index) => ({ name: `shard${index}`, url })) ?? shardsFrom(env);
  const sourceRefKey = options.sourceRefKey === undefined ? sourceRefKeyFrom(env) : parseSourceRefKey(options.sourceRefKey);
  const drivers = await loadStoreDrivers();
  const control = openDatabase({ url: controlUrl, applicationName: 'wherry-writer' });
  const shards = new ShardSet({ shards: addresses });
  const runtime = new SessionRuntime({ control, shards, sourceRefKey, role: 'writer', log });
  const lifecycle = new Lifecycle({ log });
  lifecycle.add({ name: 'control', stop: () => control.end() });
  lifecycle.add(shards);
  lifecycle.add(runtime);
  await lifecycle.run();
  return { runtime, identity: options.identity ?? identityFrom(env), drivers, close: () => lifecycle.end() };
}

/**
 * The one line that an application changes: its own store, wrapped. connect-redis 10, connect-dynamodb 3 and
 * connect-mongo 6 are recognised; another store is refused with `config_invalid`.
 */
export function wrapStore(theirs: Store, { runtime, identity, drivers }: WherryHandle): Store {
  const store = recogniseStore(theirs);
  const source = sourceOf(store, drivers);
  const decode = store.layout === 'connect-mongo' ? mongoSessionDecoder({ identity }) : expressJsonDecoder({ identity });
  const sessions = runtime.carry({ source, decode, defaultIdleMs: store.defaultIdleMs });
  const disableTouch = store.layout === 'connect-redis' && store.disableTouch;
  const text = textOf(store, drivers);
  return new WrappedStore({ sessions, life: store.life, disableTouch, ...(text === undefined ? {} : { text }) });
}

function sourceOf(store: RecognisedStore, { redis, dynamodb, mongodb }: StoreDrivers): SourceStore {
  switch (store.layout) {
    case 'connect-redis':
      return (redis ?? notInstalled('redis')).createRedisSource({ client: store.client, prefix: store.prefix });
    case 'connect-dynamodb': {
      const { client, table, prefix, hashKey } = store;
      return (dynamodb ?? notInstalled('@aws-sdk/client-dynamodb')).createDynamoSource({ client, table, prefix, hashKey });
    }
    case 'connect-mongo': {
      const { client, database, collection, prefix, payload: layout, cipher } = store;
      return (mongodb ?? notInstalled('mongodb')).createMongoSource({
        client,
        collection,
        prefix,
        layout,
        ...(database === undefined ? {} : { database }),
        ...(cipher === undefined ? {} : { cipher }),
      });
    }
  }
}

/** undefined: JSON. */
function textOf(store: RecognisedStore, { mongodb }: StoreDrivers): SessionText | undefined {
  return store.layout === 'connect-mongo' ? mongoText(store, mongodb ?? notInstalled('mongodb')) : undefined;
}

function notInstalled(name: string): never {
  throw new WherryError('config_invalid', `the package ${name} is not installed; this session store needs it`);
}
