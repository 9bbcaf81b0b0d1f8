import { noMetrics, type Component, type Logger, type Metrics } from '@wherry/core';
import {
  ANSWER_OFFSET,
  GatheredRead,
  SlotFollower,
  type CurrentOptions,
  type FencedWrite,
  type ShardSet,
  type SlotMap,
  type WriteOutcome,
} from '@wherry/shards';
import type { SessionKey, SessionRecord, SessionVersion } from '../record.ts';
import { recordItem, touchItem, type EndItem, type RecordItem, type ReplacedIdentity, type TouchItem } from './batch-items.ts';
import { sessionKeysOfUser } from './by-user.ts';
import { countSessions, scanSessions, type ScanOptions, type SessionCounts, type SessionScanPage } from './scan.ts';
import { SESSION_COLUMNS, storedSession, type LookUp } from './session-row.ts';
import { createStatement, endStatement, putStatement, restoreStatement, saveStatement, touchStatement } from './statements.ts';
import type { SessionRead, SessionTouch } from './stored-session.ts';
import { TouchBuffer } from './touch-buffer.ts';
import { raiseUserFloor, readUserFloor } from './user-floor.ts';

/** Options of {@link SqlSessions}. Times in milliseconds. */
export interface SqlSessionsOptions {
  readonly shards: ShardSet;
  readonly map: SlotMap;
  /** Longest wait for a slot that is closing or moving; default 2000. */
  readonly deadlineMs?: number;
  /** Longest wait before a touch is written; default 1000. */
  readonly touchEveryMs?: number;
  /** Sessions with a waiting touch at which they are written early; default 2000. */
  readonly touchThreshold?: number;
  readonly log?: Logger;
  readonly metrics?: Metrics;
}

/**
 * What a save came to; `version` is the row's new one, and only of meaning when it was applied. `differs`: the row
 * belongs to another user, or to the same with other authorities, and nothing was written.
 */
export interface SaveResult {
  readonly outcome: WriteOutcome | 'differs';
  readonly version: SessionVersion;
}

const ABSENT: SessionRead = { state: 'absent' };

/**
 * Sessions in the shards. Reads are gathered into few statements, writes into batches under the fence, touches are
 * written behind. All calls throw `shard_unavailable` when the owner of the key cannot be reached, `slot_not_owned`
 * when the slot kept moving, `record_unstorable` for a record that the database cannot hold; a write that throws may
 * or may not have happened, and repeating it is harmless. Rows are answered past their expiry too: the caller has the clock.
 */
export class SqlSessions implements Component {
  readonly name = 'sql-sessions';
  readonly #shards: ShardSet;
  readonly #map: SlotMap;
  readonly #follower: SlotFollower;
  readonly #rows: GatheredRead<LookUp, SessionRead>;
  readonly #put: FencedWrite<RecordItem>;
  readonly #restore: FencedWrite<RecordItem>;
  readonly #save: FencedWrite<RecordItem>;
  readonly #create: FencedWrite<RecordItem>;
  readonly #touch: FencedWrite<TouchItem>;
  readonly #end: FencedWrite<EndItem>;
  readonly #touches: TouchBuffer;

  constructor(options: SqlSessionsOptions) {
    const { shards, map } = options;
    this.#shards = shards;
    this.#map = map;
    const deadlineMs = options.deadlineMs ?? 2000;
    this.#follower = new SlotFollower({ map, shards });
    const context = { shards, map, follower: this.#follower, deadlineMs };
    this.#rows = new GatheredRead<LookUp, SessionRead>({
      name: 'session-get',
      table: 'user_session',
      columns: SESSION_COLUMNS,
      decode: (row, key) => storedSession(row, key) ?? ABSENT,
      absent: ABSENT,
      ...context,
    });
    this.#put = putStatement(context);
    this.#restore = restoreStatement(context);
    this.#save = saveStatement(context);
    this.#create = createStatement(context);
    this.#touch = touchStatement(context);
    this.#end = endStatement(context);
    this.#touches = new TouchBuffer({
      map,
      write: this.#touch,
      everyMs: options.touchEveryMs ?? 1000,
      threshold: options.touchThreshold ?? 2000,
      ...(options.log === undefined ? {} : { log: options.log }),
    });
    const metrics = options.metrics ?? noMetrics;
    metrics.observeGauge({ name: 'wherry_session_touches_waiting', help: 'Touches not yet written.' }, () => [
      { value: this.#touches.size },
    ]);
    metrics.observeCounter({ name: 'wherry_session_touches_lost_total', help: 'Touches given up.' }, () => [{ value: this.#touches.lost }]);
  }

  /** What lies under `key`; the digest is compared in constant time. */
  get(key: SessionKey): Promise<SessionRead> {
    return this.#rows.get(key);
  }

  /** What lies under the keys, in their order. */
  async getMany(keys: readonly SessionKey[]): Promise<SessionRead[]> {
    return Promise.all(keys.map(async (key) => this.get(key)));
  }

  /** The same without a digest, for ids out of tokens that we have signed ourselves. */
  getById(slot: number, id: bigint): Promise<SessionRead> {
    return this.#rows.get({ slot, id });
  }

  /**
   * Insert-or-newer, with the version that the record brings: for copies, mirrors and repairs. With `epoch` only under
   * that epoch (`not_owned` otherwise); without, under whichever is current. Where the version is not newer, its touch
   * still counts. `ended`: a tombstone lies there.
   */
  async put(record: SessionRecord, epoch?: number, options?: CurrentOptions): Promise<WriteOutcome> {
    const item = recordItem(record);
    const { outcome } = epoch === undefined ? await this.#put.underCurrent(item, options) : await this.#put.underEpoch(item, epoch);
    if (outcome !== 'older') return outcome;
    const touched = touchOf(record);
    const { outcome: touch } =
      epoch === undefined ? await this.#touch.underCurrent(touched, options) : await this.#touch.underEpoch(touched, epoch);
    return afterTouch(touch);
  }

  /** Puts many, each under its own of `epochs`, in few large statements; answered in their order. */
  async putMany(records: readonly SessionRecord[], epochs: readonly number[]): Promise<WriteOutcome[]> {
    const outcomes = (await this.#put.underEpochs(records.map(recordItem), epochs)).map(({ outcome }) => outcome);
    const older = [...outcomes.keys()].filter((index) => outcomes[index] === 'older');
    const touches = await this.#touch.underEpochs(
      older.map((index) => touchOf(records[index] as SessionRecord)),
      older.map((index) => epochs[index] as number),
    );
    for (const [at, index] of older.entries()) outcomes[index] = afterTouch(touches[at]?.outcome ?? 'not_owned');
    return outcomes;
  }

  /** Insert-or-not-older, under `epoch` only: for a repair, which has read the primary side again. Its touch counts where it is newer. */
  async restore(record: SessionRecord, epoch: number): Promise<WriteOutcome> {
    return (await this.#restore.underEpoch(recordItem(record), epoch)).outcome;
  }

  /**
   * Writes as the primary side: the next version is made in the row, in `epoch` and only under it. A row that belongs to
   * another than the record says is left as it is (`differs`), unless it belongs to `over`.
   */
  async save(record: SessionRecord, epoch: number, over?: ReplacedIdentity): Promise<SaveResult> {
    const { outcome, row } = await this.#save.underEpoch({ ...recordItem(record), ...(over === undefined ? {} : { over }) }, epoch);
    if (outcome === 'older' && Number(row[ANSWER_OFFSET + 2]) === 1) return { outcome: 'differs', version: record.version };
    if (outcome !== 'applied') return { outcome, version: record.version };
    return { outcome, version: { epoch: row[ANSWER_OFFSET] as number, n: row[ANSWER_OFFSET + 1] as number } };
  }

  /** Stores a session that was born here, as version 1. Repeating it is `applied` again. */
  async create(record: SessionRecord): Promise<'applied' | 'ended' | 'collision'> {
    const { outcome } = await this.#create.underCurrent(recordItem(record));
    return outcome === 'ended' || outcome === 'collision' ? outcome : 'applied';
  }

  /** Extends a session's life, written behind; never brings back one that has ended or run out. */
  touch(key: SessionKey, touch: SessionTouch): void {
    this.#touches.add(key, touch);
  }

  /** The same, written before it answers. `older`: nothing there, or a newer touch; `ended`: a tombstone, or run out. */
  async touchNow(key: SessionKey, touch: SessionTouch): Promise<WriteOutcome> {
    return (await this.#touch.underCurrent(touchItem(key, touch))).outcome;
  }

  /** Writes the touches that wait; resolves when they are written. */
  async flush(): Promise<void> {
    await this.#touches.flush();
  }

  /** Writes the touches that wait for these slots; resolves when they are written. */
  async flushSlots(slots: Iterable<number>): Promise<void> {
    await this.#touches.flushSlots(slots);
  }

  /** Ends a session for good, also one that is not there yet. Durable when it resolves; idempotent. */
  async end(key: SessionKey, endedAt: number): Promise<'applied' | 'collision'> {
    const { outcome } = await this.#end.underCurrent({ slot: key.slot, id: key.id, digest: key.digest, endedAt });
    return outcome === 'collision' ? 'collision' : 'applied';
  }

  /** Ends many, answered in their order. */
  async endMany(keys: readonly SessionKey[], endedAt: number): Promise<('applied' | 'collision')[]> {
    return Promise.all(keys.map(async (key) => this.end(key, endedAt)));
  }

  /**
   * Ends a user's sessions of a generation below `belowGeneration` on all shards, and answers how many; each shard knows the
   * bound from then on ({@link leastGeneration}). A session that is stored while this runs is ended by its generation, which
   * must have been raised first. Idempotent.
   */
  async endUser(userId: string, belowGeneration: number, endedAt: number): Promise<number> {
    const ended = await Promise.all(
      this.#shards.all.map(async (shard) => {
        await raiseUserFloor(shard, userId, belowGeneration);
        let count = 0;
        for await (const keys of sessionKeysOfUser(shard, userId, belowGeneration)) {
          await this.endMany(keys, endedAt);
          count += keys.length;
        }
        return count;
      }),
    );
    return ended.reduce((sum, count) => sum + count, 0);
  }

  /**
   * The least generation of a user that lives, as the shard of `slot` was told by {@link endUser}: for readers without news of
   * it, of sessions that lie elsewhere. 0: nothing of his was ever ended so.
   */
  async leastGeneration(slot: number, userId: string): Promise<number> {
    return readUserFloor(this.#shards.shard(this.#map.shardOf(slot)), userId);
  }

  /** A page of a shard's rows by (slot, id), tombstones included. */
  async scanShard(shard: number, options: ScanOptions): Promise<SessionScanPage> {
    return scanSessions(this.#shards.shard(shard), options);
  }

  /** How many rows there are, by shard. Counts every row: for status, not for a hot path. */
  async counts(): Promise<SessionCounts[]> {
    return Promise.all(this.#shards.all.map(async (shard) => countSessions(shard)));
  }

  /** After a write that was refused under `epoch`: brings map or shard, whichever is behind, to what control says. Never throws. */
  async follow(slot: number, epoch: number, attempt: number): Promise<void> {
    await this.#follower.follow(slot, epoch, attempt);
  }

  /** True when the shard itself says that this epoch of the slot is in force. */
  async confirmEpoch(slot: number, epoch: number): Promise<boolean> {
    const text = 'SELECT 1 FROM slot_owner WHERE slot = $1 AND epoch = $2';
    return (await this.#shards.queryArrays(this.#map.shardOf(slot), { name: 'session-confirm', text, values: [slot, epoch] })).length > 0;
  }

  /** Throws `shard_unavailable` when a shard gives no sign of life. */
  async ping(): Promise<void> {
    await this.#shards.ping();
  }

  async drain(): Promise<void> {
    await this.#touches.flush();
  }

  async stop(): Promise<void> {
    await this.#touches.close();
  }
}

/** A record's touch alone. */
function touchOf(record: SessionRecord): TouchItem {
  return touchItem(record.key, record);
}

/** `ended` may be a session that ran out before the touch of a record whose version is old: to its writer the row is just newer. */
function afterTouch(outcome: WriteOutcome): WriteOutcome {
  return outcome === 'ended' ? 'older' : outcome;
}
