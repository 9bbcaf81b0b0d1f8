import { controlError, type Queryable } from '@wherry/core/control';
import type { RolloutArm } from './cohort.ts';
import { LATENCY_CLASSES } from './latency.ts';

/** What was seen of one arm. */
export interface ArmFigures {
  /** Requests let in, refused with 401, and left undecided with 503. */
  readonly ok: number;
  readonly unauthorized: number;
  readonly unavailable: number;
  readonly renewed: number;
  readonly renewalFailed: number;
  /** Requests whose access token was compared with the session, and of these the ones that differed. */
  readonly compared: number;
  readonly differed: number;
  /** Log-ins that followed a forced sign-out. */
  readonly signedOut: number;
  /** Requests by class of duration; none of the arm `outside`, whose durations are compared with nothing. */
  readonly latency: readonly number[];
}

/** What was seen of all arms. */
export type RolloutFigures = Readonly<Record<RolloutArm, ArmFigures>>;

/** Figures of an arm of which nothing was seen. */
export function noFigures(): ArmFigures {
  const latency = Array.from({ length: LATENCY_CLASSES }, () => 0);
  return { ok: 0, unauthorized: 0, unavailable: 0, renewed: 0, renewalFailed: 0, compared: 0, differed: 0, signedOut: 0, latency };
}

/** Reads what all instances saw of `course` in rows begun at `since` or later, epoch milliseconds by the control database. Errors: `control_unavailable`. */
export async function readFigures(database: Queryable, course: number, since: number): Promise<RolloutFigures> {
  try {
    const { rows } = await database.query<FiguresRow>(
      `WITH s AS MATERIALIZED (SELECT * FROM rollout_sample WHERE course = $1 AND at >= $2)
       SELECT arm, sum(ok)::float8 AS ok, sum(unauthorized)::float8 AS unauthorized, sum(unavailable)::float8 AS unavailable,
         sum(renewed)::float8 AS renewed, sum(renewal_failed)::float8 AS renewal_failed, sum(compared)::float8 AS compared,
         sum(differed)::float8 AS differed, sum(signed_out)::float8 AS signed_out,
         (SELECT json_object_agg(class, count) FROM (
            SELECT u.class, sum(u.count) AS count FROM s AS l, unnest(l.latency) WITH ORDINALITY AS u (count, class)
            WHERE l.arm = s.arm AND l.arm <> 'outside' AND u.count > 0 GROUP BY u.class) c) AS latency
       FROM s GROUP BY arm`,
      [course, since],
    );
    const figures: Record<RolloutArm, ArmFigures> = { cohort: noFigures(), control: noFigures(), outside: noFigures() };
    for (const { arm, renewal_failed: renewalFailed, signed_out: signedOut, latency, ...counts } of rows) {
      const classes = Array.from({ length: LATENCY_CLASSES }, (_, index) => latency?.[String(index + 1)] ?? 0);
      figures[arm] = { ...counts, renewalFailed, signedOut, latency: classes };
    }
    return figures;
  } catch (error) {
    throw controlError(error);
  }
}

interface FiguresRow {
  readonly arm: RolloutArm;
  readonly ok: number;
  readonly unauthorized: number;
  readonly unavailable: number;
  readonly renewed: number;
  readonly renewal_failed: number;
  readonly compared: number;
  readonly differed: number;
  readonly signed_out: number;
  /** Requests by the class's number, from 1. */
  readonly latency: Readonly<Record<string, number>> | null;
}
