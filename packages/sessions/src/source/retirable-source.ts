import { WherryError } from '@wherry/core';
import type { SessionVersion } from '../record.ts';
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
import type { SourceState } from './source-state.ts';

/**
 * A source that may be retired while processes run. From then on it is a store in which nothing lies and that takes
 * nothing: the target is the primary side of every slot by then, so what is mirrored goes nowhere and what is compared is
 * absent. Only a write that would make it the primary side again is refused: `source_retired`.
 */
export class RetirableSource implements SourceStore {
  /** As the source has it. */
  readonly canary?: () => Promise<string>;
  readonly #source: SourceStore;
  readonly #state: SourceState;

  constructor(source: SourceStore, state: SourceState) {
    this.#source = source;
    const canary = source.canary?.bind(source);
    if (canary !== undefined) this.canary = canary;
    this.#state = state;
  }

  describe(): SourceDescription {
    return this.#source.describe();
  }

  now(): Promise<number> {
    // Nothing of the source has a time any more.
    return this.#state.call(
      () => this.#source.now(),
      () => Date.now(),
    );
  }

  partitions(): Promise<readonly SourcePartition[]> {
    return this.#state.call(
      () => this.#source.partitions(),
      () => [],
    );
  }

  scan(partition: SourcePartition, cursor: string | null, limit: number, signal?: AbortSignal): Promise<SourcePage> {
    return this.#state.call(
      () => this.#source.scan(partition, cursor, limit, signal),
      () => ({ sessions: [], next: null }),
    );
  }

  get(rawIds: readonly string[]): Promise<readonly (SourceSession | undefined)[]> {
    return this.#state.call(
      () => this.#source.get(rawIds),
      () => rawIds.map(() => undefined),
    );
  }

  count(): Promise<number> {
    return this.#state.call(
      () => this.#source.count(),
      () => 0,
    );
  }

  save(rawId: string, value: string, ttlMs: number | null, epoch: number, identity?: SaveIdentity): Promise<SourceSave> {
    return this.#state.call(() => this.#source.save(rawId, value, ttlMs, epoch, identity), retired);
  }

  touch(rawId: string, ttlMs: number | null, epoch: number): Promise<SourceTouch> {
    return this.#state.call(
      () => this.#source.touch(rawId, ttlMs, epoch),
      () => ({ outcome: 'older' }),
    );
  }

  end(rawId: string, keepMs: number, epoch: number): Promise<void> {
    return this.#state.call(
      () => this.#source.end(rawId, keepMs, epoch),
      () => undefined,
    );
  }

  put(rawId: string, value: string, expireTime: number | null, version: SessionVersion): Promise<SourceWrite> {
    return this.#state.call<SourceWrite>(
      () => this.#source.put(rawId, value, expireTime, version),
      () => ({ outcome: 'older', version }),
    );
  }

  close(): Promise<void> {
    return this.#source.close();
  }
}

function retired(): never {
  throw new WherryError('source_retired', 'the source is retired: nothing is written to it any more');
}
