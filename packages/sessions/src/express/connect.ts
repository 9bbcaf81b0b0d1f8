import { readFileSync } from 'node:fs';
import { Lifecycle, WherryError, silentLogger, type Logger } from '@wherry/core';
import { openDatabase } from '@wherry/core/control';
import { ShardSet } from '@wherry/shards';
import type { Store } from 'express-session';
import { createDynamoSource } from '../dynamodb/index.ts';
import { expressJsonDecoder } from '../legacy/express-json.ts';
import type { IdentityMapping } from '../legacy/identity-mapping.ts';
import { createRedisSource } from '../redis/index.ts';
import { SessionRuntime } from '../runtime.ts';
import { recogniseStore } from './recognise-store.ts';
import { WrappedStore } from './wrap-store.ts';

/** What {@link connectWherry} needs; what is absent is taken from the environment. */
export interface ConnectOptions {
  /** Connection URL of the control database; `WHERRY_CONTROL_URL`. */
  readonly controlUrl?: string;
  /** Connection URLs of the shards, in their order; `WHERRY_SHARDS_URLS`, separated by commas. */
  readonly shardUrls?: readonly string[];
  /** 32 bytes; `WHERRY_MASTER_KEY` or the file that `WHERRY_MASTER_KEY_FILE` names, in base64. */
  readonly masterKey?: Uint8Array;
  /** Where sessions keep who they belong to; `WHERRY_SOURCE_IDENTITY_USER_ID`, `_USERNAME`, `_AUTHORITIES`. */
  readonly identity?: IdentityMapping;
  readonly log?: Logger;
}

/** A connection of an application to control database and shards. */
export interface WherryHandle {
  readonly runtime: SessionRuntime;
  readonly identity: IdentityMapping;
  /** Writes what was put off and gives the lease back. Call it when the application has stopped taking requests. */
  close(): Promise<void>;
}

/**
 * Connects an application that keeps its sessions in a store of its own, so that {@link wrapStore} can mirror them.
 * Resolves when the slot map is known. Errors: `config_invalid`, `control_unavailable`.
 */
export async function connectWherry(options: ConnectOptions = {}): Promise<WherryHandle> {
  const log = options.log ?? silentLogger;
  const control = openDatabase({ url: options.controlUrl ?? required('WHERRY_CONTROL_URL'), applicationName: 'wherry-writer' });
  const urls = options.shardUrls ?? required('WHERRY_SHARDS_URLS').split(',');
  const shards = new ShardSet({ shards: urls.map((url, index) => ({ name: `shard${index}`, url: url.trim() })) });
  const runtime = new SessionRuntime({ control, shards, masterKey: options.masterKey ?? masterKeyFromEnvironment(), role: 'writer', log });
  const lifecycle = new Lifecycle({ log });
  lifecycle.add({ name: 'control', stop: () => control.end() });
  lifecycle.add(shards);
  lifecycle.add(runtime);
  await lifecycle.run();
  return { runtime, identity: options.identity ?? identityFromEnvironment(), close: () => lifecycle.end() };
}

/**
 * The one line that an application changes: its own store, wrapped. connect-redis 10 and connect-dynamodb 3 are
 * recognised; another store is refused with `config_invalid`.
 */
export function wrapStore(theirs: Store, { runtime, identity }: WherryHandle): Store {
  const store = recogniseStore(theirs);
  const source =
    store.layout === 'connect-redis'
      ? createRedisSource({ client: store.client, prefix: store.prefix })
      : createDynamoSource({ client: store.client, table: store.table, prefix: store.prefix, hashKey: store.hashKey });
  const sessions = runtime.carry({ source, decode: expressJsonDecoder({ identity }), defaultIdleMs: store.defaultIdleMs });
  return new WrappedStore({ sessions, life: store.life, disableTouch: store.layout === 'connect-redis' && store.disableTouch });
}

function required(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === '') throw new WherryError('config_invalid', `${name} is not set`);
  return value;
}

function masterKeyFromEnvironment(): Buffer {
  const file = process.env['WHERRY_MASTER_KEY_FILE'];
  const text = file === undefined ? required('WHERRY_MASTER_KEY') : readFileSync(file, 'utf8');
  const key = Buffer.from(text.trim(), 'base64');
  if (key.length !== 32) throw new WherryError('config_invalid', `the master key has ${key.length} bytes; 32 bytes in base64 are needed`);
  return key;
}

function identityFromEnvironment(): IdentityMapping {
  const username = process.env['WHERRY_SOURCE_IDENTITY_USERNAME'];
  const authorities = process.env['WHERRY_SOURCE_IDENTITY_AUTHORITIES'];
  return {
    userId: required('WHERRY_SOURCE_IDENTITY_USER_ID'),
    ...(username === undefined ? {} : { username }),
    ...(authorities === undefined ? {} : { authorities: authorities.split(',').map((path) => path.trim()) }),
  };
}
