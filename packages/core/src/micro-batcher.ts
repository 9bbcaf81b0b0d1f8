/** Options of {@link MicroBatcher}. */
export interface MicroBatcherOptions<I, O> {
  /** Answers a batch: one result per item, in the items' order. A rejection fails every item of the batch. */
  readonly run: (items: I[]) => Promise<readonly O[]>;
  /** Most items in one batch. */
  readonly maxSize: number;
  /** Most batches under way at once; items wait and gather while all are busy. */
  readonly maxInFlight: number;
}

/** The items of one batch and those who wait for them, index by index. */
interface Gathering<I, O> {
  items: I[];
  resolve: ((value: O) => void)[];
  reject: ((reason: unknown) => void)[];
}

/**
 * Gathers calls made in the same turn of the event loop, or while earlier batches are under way, into batches. Under
 * light load an item waits for the end of the turn only; under heavy load batches fill by themselves.
 */
export class MicroBatcher<I, O> {
  readonly #options: MicroBatcherOptions<I, O>;
  #waiting: Gathering<I, O> = { items: [], resolve: [], reject: [] };
  #inFlight = 0;
  #scheduled = false;
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
      if (this.#scheduled) return;
      this.#scheduled = true;
      setImmediate(this.#dispatch);
    });
  }

  /** Resolves when nothing waits and nothing is under way. */
  async drained(): Promise<void> {
    if (this.#inFlight === 0 && this.#waiting.items.length === 0) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  readonly #dispatch = (): void => {
    this.#scheduled = false;
    while (this.#waiting.items.length > 0 && this.#inFlight < this.#options.maxInFlight) this.#send(this.#take());
  };

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
        for (let i = 0; i < batch.resolve.length; i++) batch.resolve[i]?.(results[i] as O);
      },
      (error: unknown) => {
        this.#settle();
        for (const reject of batch.reject) reject(error);
      },
    );
  }

  async #run(items: I[]): Promise<readonly O[]> {
    const results = await this.#options.run(items);
    if (results.length !== items.length) throw new Error(`a batch of ${items.length} items was answered with ${results.length} results`);
    return results;
  }

  #settle(): void {
    this.#inFlight--;
    this.#dispatch();
    if (this.#inFlight > 0 || this.#waiting.items.length > 0) return;
    const idle = this.#idle;
    this.#idle = [];
    for (const resolve of idle) resolve();
  }
}
