import { randomBytes } from 'node:crypto';
import { WherryError } from '@wherry/core';
import type { SessionData } from 'express-session';
import type { MongoClientLike, SessionCipher } from '../mongodb/index.ts';
import type { MongoDriver } from './store-drivers.ts';
import type { StoreLife } from './ttl.ts';
import type { SessionText } from './wrap-store.ts';

/** connect-mongo, with what is needed to write beside it. */
export interface RecognisedMongo {
  readonly layout: 'connect-mongo';
  readonly client: Promise<MongoClientLike>;
  /** undefined: the one that the client's address names. */
  readonly database: string | undefined;
  readonly collection: string;
  readonly prefix: string;
  /** How it keeps what is in a session. With a cipher it is text in any case. */
  readonly payload: 'text' | 'document';
  readonly cipher: SessionCipher | undefined;
  readonly life: StoreLife;
  readonly defaultIdleMs: number;
}

/** The fields of connect-mongo 6. */
interface ConnectMongo {
  readonly clientP: Promise<MongoClientLike>;
  readonly cryptoAdapter: SessionCipher | null;
  readonly options: {
    readonly collectionName: string;
    readonly dbName?: string;
    /** Seconds. */
    readonly ttl: number;
    readonly stringify: boolean;
    readonly serialize?: unknown;
    readonly unserialize?: unknown;
    readonly transformId?: (sid: string) => string;
  };
}

/** Tells the store by its fields. */
export function isConnectMongo(store: object): store is ConnectMongo {
  return 'clientP' in store && 'collectionP' in store && 'transformFunctions' in store && 'options' in store;
}

/** `config_invalid` for options that change the layout. */
export function recogniseMongo({ clientP, cryptoAdapter, options }: ConnectMongo): RecognisedMongo {
  const { collectionName, dbName, ttl, stringify, serialize, unserialize, transformId } = options;
  if (serialize !== undefined || unserialize !== undefined)
    throw new WherryError('config_invalid', 'the connect-mongo store has serialize or unserialize of its own; they cannot be carried over');
  return {
    layout: 'connect-mongo',
    client: clientP,
    database: dbName,
    collection: collectionName,
    prefix: prefixOf(transformId),
    payload: stringify ? 'text' : 'document',
    cipher: cryptoAdapter ?? undefined,
    life: { layout: 'connect-mongo', ttl },
    defaultIdleMs: ttl * 1000,
  };
}

/** Sessions as the store keeps them. Without `stringify` their types are kept, as BSON has them. */
export function mongoText({ payload, cipher }: RecognisedMongo, { toStoredText, fromStoredText }: MongoDriver): SessionText | undefined {
  if (payload === 'text' || cipher !== undefined) return undefined;
  return {
    write: (session) => toStoredText({ ...session, cookie: plainCookie(session) }),
    read: (text) => fromStoredText(text) as SessionData,
  };
}

/** What the cookie says of itself, which is what the store keeps of it. */
function plainCookie({ cookie }: SessionData): unknown {
  return 'toJSON' in cookie && typeof cookie.toJSON === 'function' ? (cookie.toJSON as () => unknown).call(cookie) : cookie;
}

/** A function that puts a constant before each id can be undone, and no other one; two ids that nobody has seen tell. */
function prefixOf(transformId: ((sid: string) => string) | undefined): string {
  if (transformId === undefined) return '';
  const prefixes = [randomBytes(24), randomBytes(24)].map((bytes) => {
    const id = bytes.toString('base64url');
    const transformed = transformId(id);
    return typeof transformed === 'string' && transformed.endsWith(id) ? transformed.slice(0, -id.length) : undefined;
  });
  const [first, second] = prefixes;
  if (first !== undefined && first === second) return first;
  throw new WherryError(
    'config_invalid',
    'the transformId of the connect-mongo store does more than put a constant before the id; it cannot be carried over',
  );
}
