import { silentLogger, type Component, type Logger } from '@wherry/core';
import type { SessionKey } from '../record.ts';
import type { SourceStore } from '../source/contract.ts';
import type { Repairs } from './repairs.ts';
import type { SourceRefs } from './source-ref.ts';

/** The slots of the touches: which changed, and the right to be in one. */
export interface TouchSlots {
  /** undefined while it cannot be had without waiting. */
  tryEnter(slot: number): { leave(): void } | undefined;
  onChange(listener: (slots: readonly number[]) => void): () => void;
}

/** Options of {@link SourceTouches}. */
export interface SourceTouchesOptions {
  readonly source: SourceStore;
  readonly slots: TouchSlots;
  readonly repairs: Repairs;
  readonly refs: SourceRefs;
  readonly log?: Logger;
  /** Longest wait before touches are written, ms; default 1000. */
  readonly everyMs?: number;
}

/** A touch that the primary target has been told of. */
export interface SourceTouch {
  readonly key: SessionKey;
  readonly rawId: string;
  /** From now, ms; null: for ever. */
  readonly ttlMs: number | null;
  readonly epoch: number;
  /** Resolves when what the target was told is written there. */
  readonly atTarget: () => Promise<void>;
}

interface PendingTouch extends SourceTouch {
  /** By this machine's monotonic clock: the time left shrinks while it waits. */
  readonly touchedAt: number;
  /** Held while it waits: it counts as a write in flight. undefined when the slot was closing. */
  readonly passage: { leave(): void } | undefined;
}

const PARALLEL = 16;

/**
 * Touches of sessions whose primary side is the target, mirrored to the source: one per session and interval, written
 * behind. They keep a session alive at the source for the day of a rollback. A waiting touch holds the right to be in
 * its slot, so this process cannot acknowledge that the slot changes sides while it owes the source a touch there.
 */
export class SourceTouches implements Component {
  readonly name = 'source-touches';
  readonly #options: SourceTouchesOptions;
  readonly #log: Logger;
  readonly #pending = new Map<bigint, PendingTouch>();
  readonly #writing = new Set<Promise<void>>();
  readonly #unsubscribe: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: SourceTouchesOptions) {
    this.#options = options;
    this.#log = options.log ?? silentLogger;
    this.#unsubscribe = options.slots.onChange((slots) => this.#flushSlots(slots));
  }

  /** Takes note of a touch. */
  add({ key, rawId, ttlMs, epoch, atTarget }: SourceTouch): void {
    const passage = this.#pending.get(key.id)?.passage ?? this.#options.slots.tryEnter(key.slot);
    this.#pending.set(key.id, { key, rawId, touchedAt: performance.now(), ttlMs, epoch, atTarget, passage });
    this.#timer ??= setTimeout(() => void this.flush(), this.#options.everyMs ?? 1000).unref();
  }

  /** Writes what waits, and resolves when all that waited has been written or left a repair entry. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#start([...this.#pending.values()]);
    await Promise.all(this.#writing);
  }

  async drain(): Promise<void> {
    await this.flush();
  }

  async stop(): Promise<void> {
    this.#unsubscribe();
    await this.flush();
  }

  #flushSlots(slots: readonly number[]): void {
    if (this.#pending.size === 0) return;
    const wanted = new Set(slots);
    this.#start([...this.#pending.values()].filter(({ key }) => wanted.has(key.slot)));
  }

  #start(touches: readonly PendingTouch[]): void {
    if (touches.length === 0) return;
    for (const { key } of touches) this.#pending.delete(key.id);
    const work = this.#write(touches).finally(() => this.#writing.delete(work));
    this.#writing.add(work);
  }

  async #write(touches: readonly PendingTouch[]): Promise<void> {
    const queue = touches.values();
    const worker = async (): Promise<void> => {
      for (const touch of queue) await this.#writeOne(touch);
    };
    await Promise.all(Array.from({ length: Math.min(PARALLEL, touches.length) }, worker));
  }

  async #writeOne(touch: PendingTouch): Promise<void> {
    const { key, rawId, passage } = touch;
    const { repairs, refs } = this.#options;
    try {
      if (await this.#reaches(touch)) return;
      await repairs.add({ slot: key.slot, id: key.id, sourceRef: refs.seal(key, rawId), cause: 'source_write' });
    } finally {
      passage?.leave();
    }
  }

  /**
   * False when only a repair can give the source what the touch was to give: the source is away, or the session ran out
   * there before the touch came, while it may live on at the target. The repair reads the target, so the touch has to
   * be there before it is asked for. `ended` and `older` are final: somebody else has decided about the session since.
   */
  async #reaches({ rawId, touchedAt, ttlMs, epoch, atTarget }: PendingTouch): Promise<boolean> {
    const left = ttlMs === null ? null : ttlMs - (performance.now() - touchedAt);
    try {
      if (left !== null && left <= 0) this.#log.debug('a life was over before its touch was written; a repair tells the source');
      else if ((await this.#options.source.touch(rawId, left, epoch)).outcome !== 'missing') return true;
    } catch (error) {
      this.#log.debug('a touch did not reach the source; a repair will', { error });
    }
    await atTarget();
    return false;
  }
}
