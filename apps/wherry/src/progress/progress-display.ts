import type { Progress, ProgressListener } from '@wherry/migration';

/** Where progress is shown. */
export interface ProgressScreen {
  write(text: string): void;
  /** True where a line can be drawn again. */
  readonly interactive: boolean;
  readonly columns: number;
}

const BAR = 24;
const PLAIN_EVERY_MS = 2000;
const CLEAR_LINE = '\r\u001b[2K';

/** A bar with rate and time left on a terminal, a plain line every two seconds elsewhere. */
export class ProgressDisplay implements ProgressListener {
  readonly #screen: ProgressScreen;
  #drawn = false;
  #step = '';
  #lastPlain = Number.NEGATIVE_INFINITY;

  constructor(screen: ProgressScreen) {
    this.#screen = screen;
  }

  progress(progress: Progress): void {
    if (this.#screen.interactive) this.#draw(progress);
    else this.#print(progress);
  }

  /** A line of its own; a bar that is shown is drawn again below it. */
  note(text: string): void {
    this.#screen.write(`${this.#drawn ? CLEAR_LINE : ''}  ${text}\n`);
    this.#drawn = false;
  }

  /** Leaves what was drawn last standing. */
  finish(): void {
    if (this.#drawn) this.#screen.write('\n');
    this.#drawn = false;
    this.#step = '';
  }

  #draw(progress: Progress): void {
    if (progress.step !== this.#step) this.finish();
    this.#step = progress.step;
    this.#drawn = true;
    this.#screen.write(CLEAR_LINE + progressLine(progress, true).slice(0, this.#screen.columns - 1));
  }

  #print(progress: Progress): void {
    const changed = progress.step !== this.#step;
    if (!changed && performance.now() - this.#lastPlain < PLAIN_EVERY_MS && !isDone(progress)) return;
    this.#step = progress.step;
    this.#lastPlain = performance.now();
    this.#screen.write(`${progressLine(progress, false)}\n`);
  }
}

/** The screen that a stream of this process is. */
export function screenOf(stream: NodeJS.WriteStream): ProgressScreen {
  return {
    write: (text) => void stream.write(text),
    interactive: stream.isTTY && process.env['TERM'] !== 'dumb',
    get columns() {
      return stream.columns ?? 120;
    },
  };
}

/** One line: step, bar, share, counts, rate, time left, figures. */
function progressLine({ step, done, total, rate, leftMs, figures }: Progress, bar: boolean): string {
  const share = total > 0 ? Math.min(1, done / total) : 0;
  const filled = Math.round(share * BAR);
  const parts = [
    `  ${step.padEnd(17)}`,
    ...(bar && total > 0 ? [`[${'█'.repeat(filled)}${'·'.repeat(BAR - filled)}]`] : []),
    ...(total > 0 ? [`${(share * 100).toFixed(0).padStart(3)} %`] : []),
    `${count(done)}${total > 0 ? `/${count(total)}` : ''}`,
    `${count(rate)}/s`,
    ...(leftMs === undefined || leftMs < 500 ? [] : [`${duration(leftMs)} left`]),
    ...Object.entries(figures).map(([name, value]) => `${name} ${count(value)}`),
  ];
  return parts.join('  ');
}

function isDone({ done, total }: Progress): boolean {
  return total > 0 && done >= total;
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

function duration(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  if (seconds < 90) return `${seconds} s`;
  const minutes = Math.ceil(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${(minutes / 60).toFixed(1)} h`;
}
