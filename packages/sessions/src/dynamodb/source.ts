import { DynamoDBClient, type DynamoDBClientConfig, type ScanCommandInput } from '@aws-sdk/client-dynamodb';
import { systemClock, WherryError, type Clock, type Sealer } from '@wherry/core';
import { compareVersions, type SessionVersion } from '../record.ts';
import type {
  SaveIdentity,
  SourceDescription,
  SourcePage,
  SourcePartition,
  SourceSave,
  SourceSession,
  SourceStore,
  SourceTouch,
  SourceWrite,
} from '../source/contract.ts';
import { decodeCursor, encodeCursor } from '../source/cursor.ts';
import { checkExpiry, checkLife } from '../source/life.ts';
import { secondsOf, sessionOf, versionOf, type Item } from './item.ts';
import { DynamoTable, type DynamoSender } from './table.ts';
import { endUpdate, NOT_EXPIRED, putUpdate, saveUpdate, touchUpdate, used, type Update } from './update.ts';

/** Options of {@link createDynamoSource}. */
export interface DynamoSourceOptions {
  /** The application's own client; it is not closed here. */
  readonly client?: DynamoSender;
  /** Without a client: how to make one (`endpoint`, `region`, `credentials`, …); it is closed here. */
  readonly connection?: DynamoDBClientConfig;
  /** Name of the table; default `sessions`, as connect-dynamodb has it. */
  readonly table?: string;
  /** What the keys of the sessions start with; default `sess:`. */
  readonly prefix?: string;
  /** Name of the hash key; default `id`. */
  readonly hashKey?: string;
  /** In how many parts the table is scanned; default 4. */
  readonly segments?: number;
  /** Seals scan cursors, which name a session's key, for a checkpoint. Without it they are in the clear. */
  readonly sealer?: Sealer;
  /** How long one request may take, ms; default 5000. */
  readonly timeoutMs?: number;
  /** Judges expiry: the store itself does not, the application's clock does. */
  readonly clock?: Clock;
}

/** The longest hash key that the service takes, in bytes. */
const MAX_KEY_BYTES = 2048;
/** How often a change starts again because the item changed between its condition and the reading of why it failed. */
const CHANGE_ATTEMPTS = 20;
const PAGE_STEPS = 20;

/**
 * Sessions in the layout of connect-dynamodb 2 and 3: item `{id, sess, expires, type}`, `expires` in seconds decides,
 * an item without it never expires. The clock of this machine stands for the source's, as it does in the application.
 */
export function createDynamoSource(options: DynamoSourceOptions): SourceStore {
  return new DynamoSource(options);
}

class DynamoSource implements SourceStore {
  readonly #table: DynamoTable;
  readonly #own: DynamoDBClient | undefined;
  readonly #options: DynamoSourceOptions;
  readonly #prefix: string;
  readonly #hashKey: string;
  readonly #segments: number;
  readonly #clock: Clock;
  #incarnation: Promise<string> | undefined;

  constructor(options: DynamoSourceOptions) {
    this.#options = options;
    this.#prefix = options.prefix ?? 'sess:';
    this.#hashKey = options.hashKey ?? 'id';
    this.#segments = options.segments ?? 4;
    this.#clock = options.clock ?? systemClock;
    this.#own = options.client === undefined ? new DynamoDBClient(options.connection ?? {}) : undefined;
    this.#table = new DynamoTable(
      options.client ?? (this.#own as DynamoSender),
      options.table ?? 'sessions',
      this.#hashKey,
      options.timeoutMs ?? 5000,
    );
  }

  describe(): SourceDescription {
    const { connection, table = 'sessions' } = this.#options;
    const where = typeof connection?.endpoint === 'string' ? `${new URL(connection.endpoint).host}/` : '';
    return { kind: 'dynamodb', layout: 'connect-dynamodb', location: where + table };
  }

  async now(): Promise<number> {
    return this.#clock.now();
  }

  async partitions(): Promise<readonly SourcePartition[]> {
    this.#incarnation = undefined;
    const incarnation = await this.#currentIncarnation();
    return Array.from({ length: this.#segments }, (_, segment) => ({ id: String(segment), incarnation }));
  }

  /** `source_cursor_lost` for another table or another number of segments than the cursor's. */
  async scan(partition: SourcePartition, cursor: string | null, limit: number, signal?: AbortSignal): Promise<SourcePage> {
    if (partition.incarnation !== (await this.#currentIncarnation())) {
      throw new WherryError('source_cursor_lost', 'the table or the number of its segments is another one; the partition starts again');
    }
    const sessions: SourceSession[] = [];
    let at = cursor === null ? undefined : decodeCursor(cursor, 'dynamodb', this.#options.sealer);
    for (let step = 0; step < PAGE_STEPS && sessions.length * 2 < limit; step++) {
      signal?.throwIfAborted();
      const page = await this.#table.scan({
        ...this.#filter(),
        Segment: Number(partition.id),
        TotalSegments: this.#segments,
        Limit: limit,
        ...(at === undefined ? {} : { ExclusiveStartKey: { [this.#hashKey]: { S: at } } }),
      });
      const readAt = this.#clock.now();
      for (const item of page.Items ?? []) {
        const session = sessionOf(item, this.#rawId(item), readAt);
        if (session !== undefined && !session.ended) sessions.push(session);
      }
      at = page.LastEvaluatedKey?.[this.#hashKey]?.S;
      if (at === undefined) return { sessions, next: null };
    }
    signal?.throwIfAborted();
    return { sessions, next: at === undefined ? null : encodeCursor(at, 'dynamodb', this.#options.sealer) };
  }

  async get(rawIds: readonly string[]): Promise<readonly (SourceSession | undefined)[]> {
    const keys = new Set(
      rawIds.map((rawId) => this.#prefix + rawId).filter((key) => key !== '' && Buffer.byteLength(key) <= MAX_KEY_BYTES),
    );
    const items = await this.#table.read([...keys]);
    const readAt = this.#clock.now();
    return rawIds.map((rawId) => sessionOf(items.get(this.#prefix + rawId), rawId, readAt));
  }

  /** Exact for the first pages of the table; beyond them the service's own figure, which is up to six hours old. */
  async count(): Promise<number> {
    let counted = 0;
    let at: Item | undefined;
    for (let step = 0; step < PAGE_STEPS; step++) {
      const page = await this.#table.scan({ ...this.#filter(), Select: 'COUNT', ...(at === undefined ? {} : { ExclusiveStartKey: at }) });
      counted += page.Count ?? 0;
      at = page.LastEvaluatedKey;
      if (at === undefined) return counted;
    }
    return Math.max(counted, (await this.#table.describe()).ItemCount ?? 0);
  }

  async save(rawId: string, value: string, ttlMs: number | null, epoch: number, identity?: SaveIdentity): Promise<SourceSave> {
    const life = checkLife(ttlMs);
    return this.#change<SourceSave>(rawId, (context) => {
      const expireTime = life === '' ? null : context.now + Number(life);
      return {
        update: saveUpdate(value, expireTime, { ...context, epoch }, identity),
        applied: (changed) => ({ outcome: 'applied', version: versionOf(changed), expireTime }),
        refused: (item) => {
          if (versionOf(item).epoch > epoch) return { outcome: 'older', version: versionOf(item) };
          const lying = sessionOf(item, rawId, this.#clock.now());
          const mark = item?.['wi']?.S ?? '';
          if (identity === undefined || lying === undefined || mark === identity.mark || mark === identity.over) return undefined;
          return { outcome: 'differs', mark, value: lying.value };
        },
      };
    });
  }

  async put(rawId: string, value: string, expireTime: number | null, version: SessionVersion): Promise<SourceWrite> {
    checkExpiry(expireTime);
    return this.#change<SourceWrite>(rawId, ({ now }) => ({
      update: putUpdate(value, expireTime, version, now),
      applied: () => ({ outcome: 'applied', version, expireTime }),
      refused: (item) => {
        const ahead = compareVersions(version, versionOf(item));
        const lies = item?.['ended'] !== undefined || sessionOf(item, rawId, this.#clock.now()) !== undefined;
        return ahead < 0 || (ahead === 0 && lies) ? { outcome: 'older', version: versionOf(item) } : undefined;
      },
    }));
  }

  async touch(rawId: string, ttlMs: number | null, epoch: number): Promise<SourceTouch> {
    const life = checkLife(ttlMs);
    return this.#change<SourceTouch>(rawId, (context) => {
      const expireTime = life === '' ? null : context.now + Number(life);
      return {
        update: touchUpdate(expireTime, { ...context, epoch }),
        applied: () => ({ outcome: 'applied', expireTime }),
        refused: (item) => {
          if (sessionOf(item, rawId, this.#clock.now()) === undefined) return { outcome: 'missing' };
          return versionOf(item).epoch > epoch ? { outcome: 'older' } : undefined;
        },
      };
    });
  }

  async end(rawId: string, keepMs: number, epoch: number): Promise<void> {
    const keep = Number(checkLife(keepMs));
    const key = this.#key(rawId);
    let item: Item | undefined;
    for (let attempt = 0; attempt < CHANGE_ATTEMPTS; attempt++) {
      const now = this.#clock.now();
      if ((await this.#table.update(key, endUpdate(now + keep, { now, epoch }, item))) !== undefined) return;
      item = (await this.#table.read([key])).get(key);
    }
    throw contended();
  }

  async close(): Promise<void> {
    this.#own?.destroy();
  }

  /**
   * Makes a change, or reads why its condition did not hold. When the item no longer looks like a reason, somebody has
   * changed it in between: the change starts again.
   */
  async #change<T>(rawId: string, plan: (context: { readonly now: number }) => Change<T>): Promise<T | { readonly outcome: 'ended' }> {
    const key = this.#key(rawId);
    for (let attempt = 0; attempt < CHANGE_ATTEMPTS; attempt++) {
      const { update, applied, refused } = plan({ now: this.#clock.now() });
      const changed = await this.#table.update(key, update);
      if (changed !== undefined) return applied(changed);
      const item = (await this.#table.read([key])).get(key);
      if (sessionOf(item, rawId, this.#clock.now())?.ended === true) return { outcome: 'ended' };
      const reason = refused(item);
      if (reason !== undefined) return reason;
    }
    throw contended();
  }

  #key(rawId: string): string {
    const key = this.#prefix + rawId;
    if (key === '' || Buffer.byteLength(key) > MAX_KEY_BYTES)
      throw new WherryError('bad_request', `a session key has 1 to ${MAX_KEY_BYTES} bytes`);
    return key;
  }

  #rawId(item: Item): string {
    return item[this.#hashKey]?.S?.slice(this.#prefix.length) ?? '';
  }

  /** Live sessions only. Expiry is judged again, by the time of the answer. */
  #filter(): Pick<ScanCommandInput, 'FilterExpression' | 'ExpressionAttributeNames' | 'ExpressionAttributeValues'> {
    const live = `attribute_exists(#sess) AND attribute_not_exists(#ended) AND ${NOT_EXPIRED}`;
    const expression = this.#prefix === '' ? live : `begins_with(#key, :prefix) AND ${live}`;
    const { names, values } = used(expression, { ':now': secondsOf(this.#clock.now()), ':prefix': { S: this.#prefix } });
    const ExpressionAttributeNames = this.#prefix === '' ? names : { ...names, '#key': this.#hashKey };
    return { FilterExpression: expression, ExpressionAttributeNames, ExpressionAttributeValues: values };
  }

  async #currentIncarnation(): Promise<string> {
    this.#incarnation ??= this.#table.describe().then(({ TableId, CreationDateTime }) => {
      return `${TableId ?? CreationDateTime?.getTime() ?? ''}/${this.#segments}`;
    });
    return this.#incarnation.catch((error: unknown) => {
      this.#incarnation = undefined;
      throw error;
    });
  }
}

/** A conditional change: how to make it, what to answer, and how an item shows why it was refused. */
interface Change<T> {
  readonly update: Update;
  readonly applied: (changed: Item) => T;
  /** undefined: the item is no reason. */
  readonly refused: (item: Item | undefined) => T | undefined;
}

function contended(): WherryError {
  return new WherryError('source_unavailable', 'the session is being changed by too many writers at once');
}
