import { MongoClient, type MongoClient as Client } from 'mongodb';
import { WherryError } from '@wherry/core';

/** What is needed of a client of the package `mongodb`, 5 or newer: the application's own, or one made here. */
export type MongoClientLike = Pick<Client, 'db' | 'close'>;

/** A client that was opened here, and has to be closed here. */
export interface OwnMongoClient {
  readonly client: MongoClientLike;
  /** The hosts, without credentials. */
  readonly hosts: string;
}

const HOSTS = /^mongodb(?:\+srv)?:\/\/(?:[^@/]*@)?([^/?#]+)/;

/**
 * Opens a client for `url` (`mongodb://` or `mongodb+srv://`). It connects with its first operation, and again after
 * every loss. Errors: `config_invalid`, without the address, which may hold a password.
 */
export function openMongoClient(url: string, timeoutMs: number): OwnMongoClient {
  try {
    const bounds = { serverSelectionTimeoutMS: timeoutMs, connectTimeoutMS: timeoutMs, waitQueueTimeoutMS: timeoutMs };
    return { client: new MongoClient(url, { appName: 'wherry', ...bounds }), hosts: HOSTS.exec(url)?.[1] ?? '' };
  } catch (error) {
    const reason = error instanceof Error ? error.name : 'unknown';
    throw new WherryError('config_invalid', `the address of the MongoDB source cannot be used (${reason})`);
  }
}
