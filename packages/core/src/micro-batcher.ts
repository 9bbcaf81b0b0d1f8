/** Options of {@link MicroBatcher}. */
export interface MicroBatcherOptions<I, O> {
  /** Answers a batch: one result per item, or the promise of one, in the items' order. A rejection fails every item of the batch. */
  readonly run: (items: I[]) => Promise<readonly (O | PromiseLike<O>)[]>;
  /** Most items in one batch. */
  readonly maxSize: number;
  /** Most batches under way at once; items wait and gather while all are busy. */
  readonly maxInFlight: number;
  /** Fewest items for which a batch goes out beside others, where its fixed cost is that of several items; default 1. */
  readonly worthOneMore?: number;
  /** Longest wait of fewer items than that for the batches under way, ms: what holds those up must not hold these up; default 3. */
  readonly patienceMs?: number;
}

/** The items of one batch and those who wait for them, index by index. */
interface Gathering<I, O> {
  items: I[];
  resolve: ((value: O | PromiseLike<O>) => void)[];
  reject: ((reason: unknown) => void)[];
}

/**
 * Gathers calls made in the same turn of the event loop, or while earlier batches are under way, into batches.
 *
 * Who calls in a loop calls again when he is answered. So the next batch does not leave in the moment in which one comes
 * back, but at the end of that turn: those just answered are in it too. Under light load an item waits for the end of
 * its turn only; under heavy load batches are large and several at once.
 */
export class MicroBatcher<I, O> {
  readonly #options: MicroBatcherOptions<I, O>;
  #waiting: Gathering<I, O> = { items: [], resolve: [], reject: [] };
  #inFlight = 0;
  #scheduled = false;
  #timer: NodeJS.Timeout | undefined;
  #idle: (() => void)[] = [];

  constructor(options: MicroBatcherOptions<I, O>) {
    this.#options = options;
  }

  /** Puts `item` into the next batch and answers its result. */
  add(item: I): Promise<O> {
    return new Promise<O>((resolve, reject) => {
      const waiting = this.#waiting;
      waiting.items.push(item);
      waiting.resolve.push(resolve);
      waiting.reject.push(reject);
      this.#schedule();
    });
  }

  /** Resolves when nothing waits and nothing is under way. */
  async drained(): Promise<void> {
    if (this.#inFlight === 0 && this.#waiting.items.length === 0) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  readonly #dispatch = (): void => {
    this.#scheduled = false;
    const { maxInFlight, maxSize, worthOneMore = 1, patienceMs = 3 } = this.#options;
    while (this.#waiting.items.length > 0 && this.#inFlight < maxInFlight) {
      if (this.#inFlight > 0 && this.#waiting.items.length < Math.min(worthOneMore, maxSize)) {
        if (this.#timer === undefined) this.#timer = setTimeout(this.#late, patienceMs);
        return;
      }
      this.#send(this.#take());
    }
  };

  readonly #late = (): void => {
    this.#timer = undefined;
    if (this.#waiting.items.length > 0 && this.#inFlight < this.#options.maxInFlight) this.#send(this.#take());
  };

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#dispatch);
  }

  #take(): Gathering<I, O> {
    const waiting = this.#waiting;
    const size = this.#options.maxSize;
    if (waiting.items.length <= size) {
      this.#waiting = { items: [], resolve: [], reject: [] };
      return waiting;
    }
    return { items: waiting.items.splice(0, size), resolve: waiting.resolve.splice(0, size), reject: waiting.reject.splice(0, size) };
  }

  #send(batch: Gathering<I, O>): void {
    this.#inFlight++;
    this.#run(batch.items).then(
      (results) => {
        this.#settle();
        for (let i = 0; i < batch.resolve.length; i++) batch.resolve[i]?.(results[i] as O | PromiseLike<O>);
      },
      (error: unknown) => {
        this.#settle();
        for (const reject of batch.reject) reject(error);
      },
    );
  }

  async #run(items: I[]): Promise<readonly (O | PromiseLike<O>)[]> {
    const results = await this.#options.run(items);
    if (results.length !== items.length) throw new Error(`a batch of ${items.length} items was answered with ${results.length} results`);
    return results;
  }

  #settle(): void {
    this.#inFlight--;
    if (this.#waiting.items.length > 0) this.#schedule();
    if (this.#inFlight > 0 || this.#waiting.items.length > 0) return;
    const idle = this.#idle;
    this.#idle = [];
    for (const resolve of idle) resolve();
  }
}
