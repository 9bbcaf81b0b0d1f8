import { randomBytes } from 'node:crypto';
import { digestOf, type RenewalCredential } from './credential.ts';
import type { FamilyRow } from './family.ts';
import type { StepItem } from './statements.ts';
import { sealSuccessor } from './successor.ts';

/** The row after a renewal: the presented one is the previous, and the successor lies sealed for it. */
export function renewedStep(
  row: FamilyRow,
  presented: RenewalCredential,
  successor: RenewalCredential,
  step: 'rotate' | 'supersede',
  now: number,
): StepItem {
  return {
    ...unchanged(row, now),
    current: digestOf(successor.secret),
    previous: digestOf(presented.secret),
    // The window is counted from the first time, else a credential would live on by being repeated.
    rotatedAt: step === 'supersede' ? (row.previous?.rotatedAt ?? now) : now,
    sealedSuccessor: sealSuccessor(presented, successor),
    successorAt: now,
    renewals: row.family.renewals + 1,
    idleExpiry: now + row.idleMs,
  };
}

/** The row after reuse. */
export function endedStep(row: FamilyRow, now: number): StepItem {
  return { ...unchanged(row, now), endedAt: now, endReason: 'reused' };
}

function unchanged({ family, version, current, previous }: FamilyRow, now: number): StepItem {
  return {
    slot: family.slot,
    id: family.id,
    expected: version,
    version: newVersion(),
    current,
    previous: previous?.digest ?? null,
    rotatedAt: previous?.rotatedAt ?? null,
    sealedSuccessor: previous?.sealedSuccessor ?? null,
    successorAt: previous?.successorAt ?? null,
    renewals: family.renewals,
    idleExpiry: family.idleExpiry,
    endedAt: null,
    endReason: null,
    provedAt: now,
  };
}

/** Random, so that no state is ever taken for another, and a repeated statement knows what it did itself. */
export function newVersion(): bigint {
  return randomBytes(8).readBigInt64BE();
}
