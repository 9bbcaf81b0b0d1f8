/** How far a step has come. */
export interface Progress {
  readonly step: string;
  readonly done: number;
  /** Total expected; an estimate may be passed. 0: unknown. */
  readonly total: number;
  /** Per second, over the last few seconds. */
  readonly rate: number;
  /** Estimated time left, ms; undefined where nothing can be said. */
  readonly leftMs: number | undefined;
  /** Figures worth seeing, by name. */
  readonly figures: Readonly<Record<string, number>>;
}

/** Told of progress a few times a second, and of pauses and outages. */
export interface ProgressListener {
  progress(progress: Progress): void;
  /** Something worth a line of its own. */
  note(text: string): void;
}

/** Listens to nothing. */
export const silentProgress: ProgressListener = { progress: () => undefined, note: () => undefined };

const EVERY_MS = 250;
const WINDOW = 16;

/** Turns counts into progress with rate and time left. */
export class ProgressMeter {
  readonly #listener: ProgressListener;
  readonly #step: string;
  readonly #total: number;
  readonly #samples: { at: number; done: number }[] = [];
  readonly #figures: Record<string, number> = {};
  #done: number;
  #told = 0;

  /** `done` is where a resumed step starts. */
  constructor(listener: ProgressListener, step: string, total: number, done = 0) {
    this.#listener = listener;
    this.#step = step;
    this.#total = total;
    this.#done = done;
    this.#sample();
  }

  /** Counts `done` more, and sets figures. */
  add(done: number, figures: Readonly<Record<string, number>> = {}): void {
    this.#done += done;
    Object.assign(this.#figures, figures);
    if (performance.now() - this.#told >= EVERY_MS) this.tell();
  }

  /** Sets the count where others count as well, and figures; tells the listener. */
  reach(done: number, figures: Readonly<Record<string, number>>): void {
    this.#done = done;
    Object.assign(this.#figures, figures);
    this.tell();
  }

  /** Tells the listener now. */
  tell(): void {
    this.#told = performance.now();
    this.#sample();
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    const elapsed = first === undefined || last === undefined ? 0 : last.at - first.at;
    const rate = first === undefined || last === undefined || elapsed === 0 ? 0 : ((last.done - first.done) / elapsed) * 1000;
    const left = Math.max(0, this.#total - this.#done);
    this.#listener.progress({
      step: this.#step,
      done: this.#done,
      total: this.#total,
      rate,
      leftMs: rate > 0 && this.#total > 0 ? (left / rate) * 1000 : undefined,
      figures: { ...this.#figures },
    });
  }

  #sample(): void {
    this.#samples.push({ at: performance.now(), done: this.#done });
    if (this.#samples.length > WINDOW) this.#samples.shift();
  }
}
