/** Options of {@link Lane}. */
export interface LaneOptions<I, O> {
  /** Answers a batch: one result per item, in the items' order. A rejection fails every item of the batch. */
  readonly run: (items: readonly I[]) => Promise<readonly O[]>;
  /** Most items in one batch. */
  readonly maxSize: number;
  /** Most batches under way at once. */
  readonly maxInFlight: number;
}

/** A batch that goes out beside others has at least this many items: the fixed cost of a statement is that of a dozen rows. */
const WORTH_ONE_MORE = 32;
/** Longest wait of a smaller one for those under way, ms: what holds them up must not hold up the others. */
const PATIENCE_MS = 3;

/** The items of one batch and those who wait for them, index by index. */
interface Gathering<I, O> {
  readonly items: I[];
  readonly resolve: ((value: O) => void)[];
  readonly reject: ((reason: unknown) => void)[];
}

/**
 * Calls of one kind on their way to one shard, gathered into statements.
 *
 * Who calls in a loop calls again when he is answered. So the next statement does not leave in the moment in which one
 * comes back, but at the end of that turn: those just answered are in it too. And while one is under way, another goes
 * beside it only when it is worth a statement of its own. Under little load a call waits for the end of its turn only;
 * under much load statements are large and several at once.
 */
export class Lane<I, O> {
  readonly #options: LaneOptions<I, O>;
  #waiting: Gathering<I, O> = { items: [], resolve: [], reject: [] };
  #inFlight = 0;
  #scheduled = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: LaneOptions<I, O>) {
    this.#options = options;
  }

  /** Puts `item` into the next statement and answers its result. */
  add(item: I): Promise<O> {
    return new Promise<O>((resolve, reject) => {
      const waiting = this.#waiting;
      waiting.items.push(item);
      waiting.resolve.push(resolve);
      waiting.reject.push(reject);
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#dispatch);
  }

  readonly #dispatch = (): void => {
    this.#scheduled = false;
    while (this.#waiting.items.length > 0 && this.#inFlight < this.#options.maxInFlight) {
      if (this.#inFlight > 0 && this.#waiting.items.length < WORTH_ONE_MORE) {
        if (this.#timer === undefined) this.#timer = setTimeout(this.#late, PATIENCE_MS);
        return;
      }
      this.#send(this.#take());
    }
  };

  readonly #late = (): void => {
    this.#timer = undefined;
    if (this.#waiting.items.length > 0 && this.#inFlight < this.#options.maxInFlight) this.#send(this.#take());
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
    this.#options.run(batch.items).then(
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

  #settle(): void {
    this.#inFlight--;
    if (this.#waiting.items.length > 0) this.#schedule();
  }
}
