import type { JournalPoint } from '@wherry/migration';
import type { WorkbenchAddress } from '@wherry/migration/testing';

/** What a worker process under test is told. */
export interface WorkerOrder {
  readonly bench: WorkbenchAddress;
  readonly redisUrl: string;
  readonly prefix: string;
  readonly slices: readonly string[];
  /** Whether it says `ready` and then waits for a line before it begins. */
  readonly waits?: boolean;
  /** What it does to itself at a point of the journal, and at which passing of it, from 1; undefined: nothing. At the first passing it says `there`. */
  readonly fate?: { readonly signal: 'SIGKILL' | 'SIGSTOP'; readonly at: JournalPoint; readonly occurrence: number };
}
