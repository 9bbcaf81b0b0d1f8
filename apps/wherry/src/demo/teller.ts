import type { ProgressDisplay } from '../progress/progress-display.ts';

/** Tells what happens, as it happens. */
export interface Teller {
  chapter(text: string): void;
  say(text: string): void;
  readonly display: ProgressDisplay;
}
