import { carriedSessionKey, type SessionVersion } from '../record.ts';
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
} from './contract.ts';
import { isSourceChanged, sourceChanged } from './lives.ts';
import type { SourceHistory } from './source-history.ts';

/** The epochs of the slots as this process knows them. */
interface KnownEpochs {
  epochOf(slot: number): number;
}

/**
 * A source whose servers may begin a new life: a call that meets one brings it on record and is made again. A save is not:
 * it has to enter its slot under the new epoch first, so it throws the fault of `sourceChanged`.
 */
export class WatchedSource implements SourceStore {
  /** As the source has it. */
  readonly canary?: () => Promise<string>;
  readonly #source: SourceStore;
  readonly #history: SourceHistory;
  readonly #epochs: KnownEpochs;

  constructor(source: SourceStore, history: SourceHistory, epochs: KnownEpochs) {
    this.#source = source;
    const canary = source.canary?.bind(source);
    if (canary !== undefined) this.canary = canary;
    this.#history = history;
    this.#epochs = epochs;
  }

  /** True while the source may lack what it had acknowledged. */
  readonly doubted = (): boolean => this.#history.doubted();

  describe(): SourceDescription {
    return this.#source.describe();
  }

  now(): Promise<number> {
    return this.#source.now();
  }

  partitions(): Promise<readonly SourcePartition[]> {
    return this.#source.partitions();
  }

  count(): Promise<number> {
    return this.#source.count();
  }

  scan(partition: SourcePartition, cursor: string | null, limit: number, signal?: AbortSignal): Promise<SourcePage> {
    return this.#again(() => this.#source.scan(partition, cursor, limit, signal));
  }

  get(rawIds: readonly string[]): Promise<readonly (SourceSession | undefined)[]> {
    return this.#again(() => this.#source.get(rawIds));
  }

  async save(rawId: string, value: string, ttlMs: number | null, epoch: number, identity?: SaveIdentity): Promise<SourceSave> {
    if (!this.#history.isKnown) await this.#history.known();
    // In one turn with the call, which is bound to the lives that are accepted now: with a new one the slots are known too.
    if (this.#epochs.epochOf(carriedSessionKey(rawId).slot) !== epoch) throw sourceChanged('the slot has another epoch by now');
    try {
      return await this.#source.save(rawId, value, ttlMs, epoch, identity);
    } catch (error) {
      if (isSourceChanged(error)) await this.#history.follow();
      throw error;
    }
  }

  touch(rawId: string, ttlMs: number | null, epoch: number): Promise<SourceTouch> {
    return this.#again(() => this.#source.touch(rawId, ttlMs, epoch));
  }

  end(rawId: string, keepMs: number, epoch: number): Promise<void> {
    return this.#again(() => this.#source.end(rawId, keepMs, epoch));
  }

  put(rawId: string, value: string, expireTime: number | null, version: SessionVersion): Promise<SourceWrite> {
    return this.#again(() => this.#source.put(rawId, value, expireTime, version));
  }

  close(): Promise<void> {
    return this.#source.close();
  }

  async #again<T>(call: () => Promise<T>): Promise<T> {
    if (!this.#history.isKnown) await this.#history.known();
    try {
      return await call();
    } catch (error) {
      if (!isSourceChanged(error)) throw error;
    }
    await this.#history.follow();
    return call();
  }
}
