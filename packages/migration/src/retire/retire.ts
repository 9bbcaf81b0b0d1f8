import { WherryError, pause } from '@wherry/core';
import { audit, controlError, leastAcknowledged, type Database, type Transaction } from '@wherry/core/control';
import { SOURCE_TOPIC, setSourceRetired, sourceRetiredSince } from '@wherry/sessions';

/** Who retires the source, and why. */
export interface RetireAct {
  readonly actor: string;
  readonly reason?: string;
}

/** Why the source is still needed. */
interface Needs {
  readonly step: string;
  readonly goal: string;
  readonly percent: number;
  readonly verification: boolean;
  readonly slots: bigint;
  readonly repairs: bigint;
  readonly ends: bigint;
  readonly letters: bigint;
}

const NEEDS = `
  SELECT m.step, m.goal, m.goal_percent AS percent,
    m.verify_asked_at IS NOT NULL AND (m.verified_since IS NULL OR m.verified_since <= m.verify_asked_at) AS verification,
    (SELECT count(*) FROM slot_map WHERE primary_side <> 'target' OR state <> 'open') AS slots,
    (SELECT count(*) FROM repair_entry) AS repairs,
    (SELECT count(*) FROM revocation WHERE kind = 'session' AND NOT drained) AS ends,
    (SELECT count(*) FROM dead_letter WHERE decision IS NULL) AS letters
  FROM migration m FOR UPDATE OF m`;

/**
 * Takes the source out of use, once and for all that is carried: from its acknowledgement on no process of this
 * deployment reads it or writes to it. Repeatable. Answers the number under which it is acknowledged. Errors:
 * `migration_step_invalid` where the migration has not settled at the target or something still has to be written to the
 * source; `not_found` without a migration; `control_unavailable`.
 */
export async function retireSource(database: Database, { actor, reason }: RetireAct): Promise<bigint> {
  return changing(database, true, async (tx) => {
    const { rows } = await tx.query<Needs>(NEEDS);
    const needs = rows[0];
    if (needs === undefined) throw new WherryError('not_found', 'there is no migration');
    const missing = missingFor(needs);
    if (missing !== undefined) throw new WherryError('migration_step_invalid', `the source is still needed: ${missing}`);
    await audit(tx, { actor, action: 'source.retire', ...(reason === undefined ? {} : { reason }) });
  });
}

/**
 * Takes it into use again. Nothing was lost, since the target is the primary side, but the source has missed what came
 * meanwhile: a verification is asked for, and until one has ended there is no way back to it. Errors: as {@link retireSource}.
 */
export async function reviveSource(database: Database, { actor, reason }: RetireAct): Promise<bigint> {
  return changing(database, false, async (tx) => {
    await tx.query('UPDATE migration SET verify_asked_at = wherry_now(), version = version + 1, updated_at = wherry_now()');
    await audit(tx, { actor, action: 'source.revive', ...(reason === undefined ? {} : { reason }) });
  });
}

async function changing(database: Database, retired: boolean, also: (tx: Transaction) => Promise<void>): Promise<bigint> {
  try {
    return await setSourceRetired(database, retired, also);
  } catch (error) {
    throw controlError(error);
  }
}

function missingFor({ step, goal, percent, verification, slots, repairs, ends, letters }: Needs): string | undefined {
  if (step !== 'settled' || goal !== 'target' || percent !== 100)
    return `the migration is in ${step} with the goal ${goal} ${percent} %; it has to be settled at the target`;
  if (slots > 0n) return `${slots} slots are not open at the target`;
  if (verification) return 'a verification was asked for and has not ended';
  if (repairs > 0n) return `${repairs} second writes wait for their repair`;
  if (ends > 0n) return `${ends} ended sessions are not out of both stores`;
  return letters > 0n ? `${letters} sessions that could not be carried have no decision` : undefined;
}

const LOOK_EVERY_MS = 50;

/**
 * Resolves when every live process acts on it: then no call of theirs to the source is under way. Errors: `conflict` after
 * `timeoutMs`; what was done stays, and it may be waited for again.
 */
export async function sourceLetGo(database: Database, seq: bigint, timeoutMs: number, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const least = await leastAcknowledged(database, SOURCE_TOPIC);
    if (least === undefined || least >= seq) return;
    if (performance.now() >= deadline)
      throw new WherryError('conflict', 'not every live process has acknowledged that the source is retired');
    await pause(LOOK_EVERY_MS, signal);
  }
}

/** Refuses with `source_retired` what needs the source. */
export async function requireSourceInUse(database: Database): Promise<void> {
  if ((await sourceRetiredSince(database)) !== undefined)
    throw new WherryError('source_retired', 'the source is retired; "wherry migrate revive" takes it into use again');
}
