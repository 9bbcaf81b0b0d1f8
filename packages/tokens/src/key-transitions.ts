import type { SigningAlgorithm } from './key-source.ts';

/** Where a key stands: published, signing, verifying only, neither. Only forward. */
export type KeyState = 'next' | 'active' | 'retiring' | 'gone';

/** What is decided on. Times in epoch milliseconds of the control database. */
export interface KeyRecord {
  readonly kid: string;
  readonly alg: SigningAlgorithm;
  readonly state: KeyState;
  /** null: all issuers share it. */
  readonly ownerInstance: string | null;
  /** True when the owner's lease has ended. */
  readonly orphaned: boolean;
  readonly signsAfter: number;
  readonly keepUntil: number | null;
  readonly seq: bigint;
}

/** One step of one key. */
export interface KeyTransition {
  readonly kid: string;
  readonly to: 'active' | 'retiring' | 'gone';
}

/**
 * The steps that are due, in the order in which they have to be taken: a key retires before its successor, of the same
 * owner, becomes active. `acknowledged` is the sequence number that every live verifier acts on, undefined when there is none.
 *
 * No token can be met by a verifier that has never heard of its key: a key becomes active only after every live verifier
 * has it, and one whose lease has ended refuses to call any key unknown.
 */
export function dueTransitions(records: readonly KeyRecord[], now: number, acknowledged: bigint | undefined): KeyTransition[] {
  const steps: KeyTransition[] = [];
  for (const record of records) {
    if (record.state === 'retiring' && record.keepUntil !== null && record.keepUntil <= now) steps.push({ kid: record.kid, to: 'gone' });
    // A key that was never active has signed nothing.
    if (record.orphaned && record.state === 'next') steps.push({ kid: record.kid, to: 'gone' });
    if (record.orphaned && record.state === 'active') steps.push({ kid: record.kid, to: 'retiring' });
  }
  const known = records.filter(
    ({ seq, state, orphaned }) => state === 'next' && !orphaned && (acknowledged === undefined || acknowledged >= seq),
  );
  for (const { kid, ownerInstance } of known.filter(({ signsAfter }) => signsAfter <= now)) {
    for (const former of records.filter((record) => record.state === 'active' && record.ownerInstance === ownerInstance))
      if (!steps.some((step) => step.kid === former.kid)) steps.push({ kid: former.kid, to: 'retiring' });
    steps.push({ kid, to: 'active' });
  }
  return steps;
}
