import { randomBytes } from 'node:crypto';
import { ANSWER_OFFSET, type RowArray } from '@wherry/shards';
import { credentialText, digestOf, siblingCredential, type RenewalCredential } from './credential.ts';
import type { Family, FamilyRow } from './family.ts';
import type { Presenting } from './renewal.ts';
import type { RotateItem, StepItem } from './statements.ts';
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

/** The rotation of a credential that may be the current one, and the successor that it gives. */
export function rotationOf(
  presented: RenewalCredential,
  { clientId, boundTo, minimumGeneration, now }: Presenting,
): { readonly item: RotateItem; readonly successor: string } {
  const successor = siblingCredential(presented);
  const item: RotateItem = {
    slot: presented.slot,
    id: presented.familyId,
    sessionId: presented.sessionId,
    familyDigest: digestOf(presented.familySecret),
    presented: digestOf(presented.secret),
    clientId: clientId ?? null,
    boundTo: boundTo ?? null,
    minimumGeneration,
    version: newVersion(),
    successor: digestOf(successor.secret),
    sealedSuccessor: sealSuccessor(presented, successor),
    now: now ?? null,
  };
  return { item, successor: credentialText(successor) };
}

/** The family in the answer to a rotation. */
export function rotatedFamily({ slot, familyId, sessionId, mode }: RenewalCredential, row: RowArray): Family {
  const [userId, clientId, boundTo, generation, renewals, createTime, idleExpiry, absoluteExpiry] = row.slice(ANSWER_OFFSET) as [
    Text,
    Text,
    Text | null,
    number,
    number,
    number,
    number,
    number | null,
  ];
  return {
    slot,
    id: familyId,
    sessionId,
    mode,
    userId: String(userId),
    clientId: String(clientId),
    boundTo: boundTo === null ? null : String(boundTo),
    generation,
    renewals,
    createTime,
    idleExpiry,
    absoluteExpiry,
  };
}

/** MySQL answers texts in the bytes of UTF-8. */
type Text = string | Buffer;
