import {
  BatchGetItemCommand,
  DescribeTableCommand,
  ScanCommand,
  UpdateItemCommand,
  type DynamoDBClient,
  type ScanCommandInput,
  type ScanCommandOutput,
  type TableDescription,
} from '@aws-sdk/client-dynamodb';
import { backoffDelay, pause, retry, WherryError } from '@wherry/core';
import { asSourceError, isConditionFailure, isThrottling } from './errors.ts';
import type { Item } from './item.ts';
import type { Update } from './update.ts';

/** What is needed of a client of the package `@aws-sdk/client-dynamodb`. */
export type DynamoSender = Pick<DynamoDBClient, 'send'>;

/** The most keys that BatchGetItem takes. */
const BATCH_KEYS = 100;
const BATCHES_IN_FLIGHT = 8;
/** Tries beyond those that the client makes by itself; waits grow to seconds with jitter, as the service advises. */
const ATTEMPTS = 8;

/** The operations on one table: consistent reads, bounded in time, repeated while the service throttles, errors with codes. */
export class DynamoTable {
  readonly #client: DynamoSender;
  readonly #table: string;
  readonly #hashKey: string;
  readonly #timeoutMs: number;

  constructor(client: DynamoSender, table: string, hashKey: string, timeoutMs: number) {
    this.#client = client;
    this.#table = table;
    this.#hashKey = hashKey;
    this.#timeoutMs = timeoutMs;
  }

  async describe(): Promise<TableDescription> {
    const { Table } = await this.#repeat((options) => this.#client.send(new DescribeTableCommand({ TableName: this.#table }), options));
    return Table ?? {};
  }

  /** Items by key. Keys are not repeated and not longer than the service takes. */
  async read(keys: readonly string[]): Promise<Map<string, Item>> {
    const found = new Map<string, Item>();
    const batches: string[][] = [];
    for (let i = 0; i < keys.length; i += BATCH_KEYS) batches.push(keys.slice(i, i + BATCH_KEYS));
    const readers = Array.from({ length: Math.min(BATCHES_IN_FLIGHT, batches.length) }, async () => {
      for (let batch = batches.pop(); batch !== undefined; batch = batches.pop()) await this.#readBatch(batch, found);
    });
    await Promise.all(readers);
    return found;
  }

  /** Applies a conditional update; answers the changed attributes, or undefined where the condition does not hold. */
  async update(key: string, update: Update): Promise<Item | undefined> {
    const command = new UpdateItemCommand({
      TableName: this.#table,
      Key: { [this.#hashKey]: { S: key } },
      ...update,
      ReturnValues: 'UPDATED_NEW',
    });
    try {
      const { Attributes } = await this.#repeat((options) => this.#client.send(command, options));
      return Attributes ?? {};
    } catch (error) {
      if (error instanceof WherryError && isConditionFailure(error.cause)) return undefined;
      throw error;
    }
  }

  /** One page of a scan, consistent. */
  async scan(input: Omit<ScanCommandInput, 'TableName' | 'ConsistentRead'>): Promise<ScanCommandOutput> {
    return this.#repeat((options) =>
      this.#client.send(new ScanCommand({ ...input, TableName: this.#table, ConsistentRead: true }), options),
    );
  }

  /** The service may leave keys out, when it throttles or the answer is full: they are asked for again. */
  async #readBatch(batch: readonly string[], found: Map<string, Item>): Promise<void> {
    let keys: Item[] = batch.map((key) => ({ [this.#hashKey]: { S: key } }));
    for (let fruitless = 0; keys.length > 0;) {
      const command = new BatchGetItemCommand({ RequestItems: { [this.#table]: { Keys: keys, ConsistentRead: true } } });
      const { Responses, UnprocessedKeys } = await this.#repeat((options) => this.#client.send(command, options));
      const items = Responses?.[this.#table] ?? [];
      for (const item of items) found.set(item[this.#hashKey]?.S ?? '', item);
      keys = UnprocessedKeys?.[this.#table]?.Keys ?? [];
      fruitless = items.length > 0 ? 0 : fruitless + 1;
      if (keys.length > 0 && fruitless >= ATTEMPTS) throw new WherryError('source_unavailable', 'DynamoDB keeps leaving keys unread');
      if (keys.length > 0 && fruitless > 0) await pause(backoffDelay(fruitless));
    }
  }

  async #repeat<T>(send: (options: { abortSignal: AbortSignal }) => Promise<T>): Promise<T> {
    try {
      return await retry(() => send({ abortSignal: AbortSignal.timeout(this.#timeoutMs) }), {
        attempts: ATTEMPTS,
        retryable: isThrottling,
      });
    } catch (cause) {
      throw asSourceError(cause);
    }
  }
}
