import type { WorkbenchAddress } from '@wherry/migration/testing';
import type { CarriedStep } from '@wherry/sessions';

/** What the writing process is told: one save, in the middle of which it sends itself a signal. */
export interface WriterOrder {
  readonly bench: WorkbenchAddress;
  readonly redisUrl: string;
  readonly prefix: string;
  readonly rawId: string;
  readonly value: string;
  readonly lifeMs: number;
  readonly signal: 'SIGSTOP' | 'SIGKILL';
  /** Where; default: between the write to the source and its mirror. */
  readonly step?: CarriedStep;
}
