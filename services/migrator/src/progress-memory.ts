import type { Sample } from '@wherry/core';
import type { Progress, ProgressListener } from '@wherry/migration';

/** Remembers the last progress of every step for the metrics, and passes it on. */
export class ProgressMemory implements ProgressListener {
  readonly #next: ProgressListener;
  readonly #steps = new Map<string, Progress>();

  constructor(next: ProgressListener) {
    this.#next = next;
  }

  progress(progress: Progress): void {
    this.#steps.set(progress.step, progress);
    this.#next.progress(progress);
  }

  note(text: string): void {
    this.#next.note(text);
  }

  /** A value of each step, labelled by it. */
  samples(read: (progress: Progress) => number): Sample[] {
    return [...this.#steps].map(([step, progress]) => ({ value: read(progress), labels: { step } }));
  }
}
