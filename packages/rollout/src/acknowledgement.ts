import { WherryError } from '@wherry/core';
import { controlError, type Queryable } from '@wherry/core/control';
import { ROLLOUT_TOPIC, type Rollout } from './rollout.ts';

/** A live instance that does not act on the newest state of the rollout yet. */
export interface RolloutLaggard {
  readonly instance: string;
  readonly role: string;
  /** The sequence number that it acts on. */
  readonly acknowledged: bigint;
}

/** Who follows the rollout. */
export interface RolloutFollowers {
  /** How many live instances follow it. */
  readonly following: number;
  readonly behind: readonly RolloutLaggard[];
}

/**
 * Who follows the rollout and who is behind `seq`. An instance counts from its registration on, with nothing acknowledged, until its
 * lease has ended. So whoever is not in the answer has loaded `seq`, or will load it before it acts.
 */
export async function rolloutFollowers(database: Queryable, seq: bigint): Promise<RolloutFollowers> {
  try {
    const { rows } = await database.query<{ id: string; role: string; acked: bigint }>(
      `SELECT id, role, (acked->>$1)::bigint AS acked FROM instance
       WHERE state = 'live' AND lease_until > wherry_now() AND acked ? $1 ORDER BY role, id`,
      [ROLLOUT_TOPIC],
    );
    const behind = rows.filter(({ acked }) => acked < seq).map(({ id, role, acked }) => ({ instance: id, role, acknowledged: acked }));
    return { following: rows.length, behind };
  } catch (error) {
    throw controlError(error);
  }
}

/**
 * Requires that every live instance acts on `rollout`. Asked under the row's lock before a step that narrows: after the
 * step each instance acts on the state before it or on the state after it, never on an older one. Two neighbours agree
 * that what one of them refuses the other exchanges, and what one gives out the other takes; two states that are further apart need
 * not. Errors: `rollout_unacknowledged`.
 */
export async function requireAcknowledged(database: Queryable, rollout: Rollout): Promise<void> {
  const { behind } = await rolloutFollowers(database, rollout.seq);
  if (behind.length === 0) return;
  const names = behind.map(({ role, instance }) => `${role} ${instance}`).slice(0, 3);
  const more = behind.length > names.length ? ` and ${behind.length - names.length} more` : '';
  throw new WherryError('rollout_unacknowledged', `not every live instance acts on the present state yet: ${names.join(', ')}${more}`, {
    data: { behind: behind.length, version: rollout.version },
  });
}
