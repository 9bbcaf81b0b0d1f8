import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import connectDynamo from 'connect-dynamodb';
import { MongoStore } from 'connect-mongo';
import { RedisStore } from 'connect-redis';
import session from 'express-session';
import { createClient } from 'redis';
import type { Config } from './config.ts';

/** A session store and what lets go of its connections. */
export interface OpenStore {
  readonly store: session.Store;
  readonly close: () => Promise<void>;
}

/** Opens the store that the configuration names; wrapped, when this process is to write through the migration. */
export async function openStore(config: Config): Promise<OpenStore> {
  const { store: theirs, close } = await openTheirs(config);
  if (!config.instrumented) return { store: theirs, close };
  const { connectWherry, wrapStore } = await import('@wherry/sessions/express');
  const wherry = await connectWherry();
  return {
    store: wrapStore(theirs, wherry), // The one line changed; before: `store: theirs`.
    close: async () => {
      await wherry.close();
      await close();
    },
  };
}

async function openTheirs(config: Config): Promise<OpenStore> {
  const { source, keyPrefix: prefix } = config;
  if (source.kind === 'redis') {
    const client = createClient({ url: source.url });
    // Without a listener a lost connection would end the process; the client reconnects by itself.
    client.on('error', () => undefined);
    await client.connect();
    return { store: new RedisStore({ client, prefix }), close: async () => client.destroy() };
  }
  if (source.kind === 'mongodb') {
    const transformId = (id: string): string => prefix + id;
    const store = MongoStore.create({ mongoUrl: source.url, stringify: source.stringify, transformId, autoRemove: 'interval' });
    await store.collectionP;
    return { store, close: () => store.close() };
  }
  const client = dynamoClient(source.endpoint);
  const DynamoStore = connectDynamo(session);
  const store = new DynamoStore({ client, table: source.table, prefix });
  await store.initialize();
  return { store, close: async () => client.destroy() };
}

/** A client for a DynamoDB at `endpoint`. */
export function dynamoClient(endpoint: string): DynamoDBClient {
  // Local stand-ins take any key; a real service gets the SDK's own way of finding one.
  const local = /\/\/(127\.0\.0\.1|localhost|\[::1\])[:/]/.test(`${endpoint}/`);
  return new DynamoDBClient({
    endpoint,
    ...(local ? { region: 'local', credentials: { accessKeyId: 'local', secretAccessKey: 'local' } } : {}),
  });
}
