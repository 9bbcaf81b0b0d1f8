import { randomBytes } from 'node:crypto';
import { DeleteTableCommand, DescribeTableCommand, DynamoDBClient, type DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';
import connectDynamo from 'connect-dynamodb';
import session from 'express-session';
import { expect, vi } from 'vitest';
import type { LegacyPeer } from './source-fixture.ts';

/** How the real store names things, where it differs from the defaults. */
export interface SessionTableOptions {
  readonly prefix?: string;
  readonly hashKey?: string;
}

/** A table of its own that the real connect-dynamodb has made. */
export interface SessionTable {
  readonly table: string;
  readonly client: DynamoDBClient;
  /** The real store, for express-session. */
  readonly expressStore: session.Store;
  /** The same with promises. */
  readonly store: LegacyPeer;
  drop(): Promise<void>;
}

/** How to reach the server of a test run at `endpoint`. */
export function connection(endpoint: string): DynamoDBClientConfig {
  return { endpoint, region: 'local', credentials: { accessKeyId: 'local', secretAccessKey: 'local' } };
}

/** Lets connect-dynamodb create a table at `endpoint` and waits until it can be used. */
export async function createSessionTable(endpoint: string, { prefix, hashKey }: SessionTableOptions = {}): Promise<SessionTable> {
  const table = `sessions-${randomBytes(6).toString('hex')}`;
  const client = new DynamoDBClient(connection(endpoint));
  const Store = connectDynamo(session);
  const store = new Store({ client, table, ...(prefix === undefined ? {} : { prefix }), ...(hashKey === undefined ? {} : { hashKey }) });
  await store.initialize();
  await vi.waitFor(
    async () => {
      const { Table } = await client.send(new DescribeTableCommand({ TableName: table }));
      expect(Table?.TableStatus).toBe('ACTIVE');
    },
    { interval: 5 },
  );
  const drop = async (): Promise<void> => {
    await client.send(new DeleteTableCommand({ TableName: table }));
    client.destroy();
  };
  return { table, client, expressStore: store, store: promised(store), drop };
}

/** A store of express-session, its callbacks turned into promises. */
function promised(store: session.Store): LegacyPeer {
  const call = <T>(method: 'set' | 'touch' | 'destroy' | 'get', ...args: readonly unknown[]): Promise<T> =>
    new Promise((resolve, reject) => {
      const callback = (error: unknown, result: T): void => (error ? reject(error) : resolve(result));
      (store[method] as (...all: unknown[]) => void).call(store, ...args, callback);
    });
  return {
    get: (rawId) => call('get', rawId),
    set: (rawId, value) => call('set', rawId, value),
    touch: (rawId, value) => call('touch', rawId, value),
    destroy: (rawId) => call('destroy', rawId),
  };
}
