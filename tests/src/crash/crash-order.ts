import type { JournalPoint } from '@wherry/migration';
import type { WorkbenchAddress } from '@wherry/migration/testing';

/** What the process under test is told. */
export interface CrashOrder {
  readonly bench: WorkbenchAddress;
  readonly redisUrl: string;
  readonly prefix: string;
  /** Where it ends itself; undefined: nowhere. */
  readonly crashAt?: JournalPoint;
  /** At which passing of the point, from 1. */
  readonly occurrence: number;
}
