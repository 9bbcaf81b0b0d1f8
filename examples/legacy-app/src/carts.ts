import { CreateTableCommand, ResourceInUseException, UpdateItemCommand, waitUntilTableExists } from '@aws-sdk/client-dynamodb';
import { MongoClient } from 'mongodb';
import { createClient } from 'redis';
import { MOST_CART_ITEMS } from './answers.ts';
import type { Config } from './config.ts';
import { dynamoClient } from './store.ts';

/** Carts by user, where there are no sessions to keep them in. */
export interface Carts {
  /** Puts an item into the cart and answers how many are in it; the oldest go when there are too many. */
  add(userId: string, item: string): Promise<number>;
  close(): Promise<void>;
}

/** Opens the carts: beside the sessions, in the same store. */
export function openCarts({ source, keyPrefix }: Pick<Config, 'source' | 'keyPrefix'>): Promise<Carts> {
  switch (source.kind) {
    case 'redis':
      return redisCarts(source.url, `cart:${keyPrefix}`);
    case 'dynamodb':
      return dynamoCarts(source.endpoint, `${source.table}-carts`);
    case 'mongodb':
      return mongoCarts(source.url, keyPrefix);
  }
}

async function redisCarts(url: string, prefix: string): Promise<Carts> {
  const client = createClient({ url });
  client.on('error', () => undefined);
  await client.connect();
  return {
    add: async (userId, item) => {
      const key = `${prefix}${userId}`;
      const [length] = await client.multi().rPush(key, item).lTrim(key, -MOST_CART_ITEMS, -1).exec();
      return Math.min(MOST_CART_ITEMS, Number(length));
    },
    close: async () => client.destroy(),
  };
}

async function dynamoCarts(endpoint: string, table: string): Promise<Carts> {
  const client = dynamoClient(endpoint);
  try {
    await client.send(
      new CreateTableCommand({
        TableName: table,
        AttributeDefinitions: [{ AttributeName: 'user', AttributeType: 'S' }],
        KeySchema: [{ AttributeName: 'user', KeyType: 'HASH' }],
        BillingMode: 'PAY_PER_REQUEST',
      }),
    );
  } catch (error) {
    if (!(error instanceof ResourceInUseException)) throw error;
  }
  await waitUntilTableExists({ client, maxWaitTime: 20, minDelay: 0.1 }, { TableName: table });
  return {
    add: async (userId, item) => {
      const { Attributes: after } = await client.send(
        new UpdateItemCommand({
          TableName: table,
          Key: { user: { S: userId } },
          UpdateExpression: 'SET things = list_append(if_not_exists(things, :none), :new)',
          ExpressionAttributeValues: { ':none': { L: [] }, ':new': { L: [{ S: item }] } },
          ReturnValues: 'UPDATED_NEW',
        }),
      );
      const count = after?.['things']?.L?.length ?? 0;
      if (count <= MOST_CART_ITEMS) return count;
      // The first of a list; two at the same time take two, and each had put one in.
      await client.send(new UpdateItemCommand({ TableName: table, Key: { user: { S: userId } }, UpdateExpression: 'REMOVE things[0]' }));
      return MOST_CART_ITEMS;
    },
    close: async () => client.destroy(),
  };
}

async function mongoCarts(url: string, prefix: string): Promise<Carts> {
  const client = await MongoClient.connect(url);
  const carts = client.db().collection<{ readonly _id: string; readonly things: string[] }>('carts');
  return {
    add: async (userId, item) => {
      const _id = prefix + userId;
      const after = await carts.findOneAndUpdate({ _id }, { $push: { things: item } }, { upsert: true, returnDocument: 'after' });
      const count = after?.things.length ?? 0;
      if (count <= MOST_CART_ITEMS) return count;
      await carts.updateOne({ _id }, { $pop: { things: -1 } });
      return MOST_CART_ITEMS;
    },
    close: () => client.close(),
  };
}
