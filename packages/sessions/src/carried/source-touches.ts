import { silentLogger, type Component, type Logger } from '@wherry/core';
import type { SessionKey } from '../record.ts';
import type { SourceStore } from '../source/contract.ts';
import type { Repairs } from './repairs.ts';
import type { SourceRefs } from './source-ref.ts';

/** Options of {@link SourceTouches}. */
export interface SourceTouchesOptions {
  readonly source: SourceStore;
  readonly repairs: Repairs;
  readonly refs: SourceRefs;
  readonly log?: Logger;
  /** Longest wait before touches are written, ms; default 1000. */
  readonly everyMs?: number;
}

interface PendingTouch {
  readonly key: SessionKey;
  readonly rawId: string;
  /** Source's clock at the touch by this process' reckoning: the time left shrinks while it waits. */
  readonly touchedAt: number;
  readonly ttlMs: number | null;
  readonly epoch: number;
}

const PARALLEL = 16;

/**
 * Touches of sessions whose primary side is the target, mirrored to the source: one per session and interval, written
 * behind. They keep a session alive at the source for the day of a rollback.
 */
export class SourceTouches implements Component {
  readonly name = 'source-touches';
  readonly #options: SourceTouchesOptions;
  readonly #log: Logger;
  readonly #pending = new Map<bigint, PendingTouch>();
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(options: SourceTouchesOptions) {
    this.#options = options;
    this.#log = options.log ?? silentLogger;
  }

  /** Takes note of a touch; `ttlMs` from now. */
  add(key: SessionKey, rawId: string, ttlMs: number | null, epoch: number): void {
    this.#pending.set(key.id, { key, rawId, touchedAt: performance.now(), ttlMs, epoch });
    this.#timer ??= setTimeout(() => void this.flush(), this.#options.everyMs ?? 1000).unref();
  }

  /** Writes what waits, and resolves when all that waited has been written or left a repair entry. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const touches = [...this.#pending.values()];
    this.#pending.clear();
    const written = this.#writing.then(() => this.#write(touches));
    this.#writing = written;
    return written;
  }

  async drain(): Promise<void> {
    await this.flush();
  }

  async #write(touches: readonly PendingTouch[]): Promise<void> {
    const queue = touches.values();
    const worker = async (): Promise<void> => {
      for (const touch of queue) await this.#writeOne(touch);
    };
    await Promise.all(Array.from({ length: Math.min(PARALLEL, touches.length) }, worker));
  }

  async #writeOne({ key, rawId, touchedAt, ttlMs, epoch }: PendingTouch): Promise<void> {
    const { source, repairs, refs } = this.#options;
    const left = ttlMs === null ? null : ttlMs - (performance.now() - touchedAt);
    if (left !== null && left <= 0) return;
    try {
      // `missing`, `ended` and `older` are final: somebody else has decided about the session since.
      await source.touch(rawId, left, epoch);
    } catch (error) {
      this.#log.debug('a touch did not reach the source; a repair will', { error });
      await repairs.add({ slot: key.slot, id: key.id, sourceRef: refs.seal(key, rawId), cause: 'source_write' });
    }
  }
}
