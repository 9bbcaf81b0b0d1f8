import type { ApplyStep } from '@wherry/migration';
import type { WorkbenchAddress } from '@wherry/migration/testing';

/** What the capturing process is told on its command line. */
export interface CaptureOrder {
  readonly bench: WorkbenchAddress;
  readonly redisUrl: string;
  readonly prefix: string;
  /** Where it kills itself, and at which passing; absent: nowhere. */
  readonly crashAt?: ApplyStep;
  readonly occurrence: number;
}
