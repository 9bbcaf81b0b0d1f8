import { controlError, type Queryable } from '@wherry/core/control';
import type { UsedCredential } from './client-usage.ts';

/** One client, version and credential. Times in epoch milliseconds. */
export interface UsageEntry {
  readonly clientId: string;
  /** Empty: not known. */
  readonly version: string;
  readonly kind: UsedCredential;
  readonly firstUsed: number;
  readonly lastUsed: number;
  readonly requests: number;
}

/** What is known of the use of session credentials, for the step into `retired`. Times in epoch milliseconds. */
export interface ObservedUse {
  /** The control database's clock. */
  readonly now: number;
  /** Up to when every process that can accept a session credential has reported what it saw: the present where none lives. */
  readonly observedUntil: number;
  /** From when on every such process has reported; null: none ever did. */
  readonly observedSince: number | null;
  /** When a session credential was last used, or may have been by all that is known; null: never. */
  readonly lastSessionUse: number | null;
  /** Live processes that do not report, or have not for a while: what they see is not known. */
  readonly silent: readonly string[];
}

/** The roles of processes that accept session credentials; `writer`: an application whose store is wrapped, which reports nothing and so has to be gone. */
const ACCEPTING_ROLES = ['gateway', 'auth', 'writer'];
/** A process that lives and has not reported for this long counts as silent, milliseconds. */
const SILENT_MS = 20_000;

/** All entries, session credentials used last first. Errors: `control_unavailable`. */
export async function readClientUsage(database: Queryable): Promise<readonly UsageEntry[]> {
  try {
    const { rows } = await database.query<{
      client_id: string;
      version: string;
      kind: UsedCredential;
      first_used: bigint;
      last_used: bigint;
      requests: bigint;
    }>(`SELECT client_id, version, kind, first_used, last_used, requests FROM client_usage ORDER BY kind = 'jwt', last_used DESC`);
    return rows.map(({ client_id, version, kind, first_used, last_used, requests }) => ({
      clientId: client_id,
      version,
      kind,
      firstUsed: Number(first_used),
      lastUsed: Number(last_used),
      requests: Number(requests),
    }));
  } catch (error) {
    throw controlError(error);
  }
}

/**
 * What can be said of the use of session credentials. What was not seen is taken for a use: the last lease of a process
 * that never reported, and that of one that was killed before it had reported everything. Errors: `control_unavailable`.
 */
export async function readObservedUse(database: Queryable): Promise<ObservedUse> {
  try {
    const { rows } = await database.query<{
      now: bigint;
      known: bigint;
      began: bigint | null;
      unreported: bigint | null;
      used: bigint | null;
      unaccounted: bigint | null;
      silent: string[];
    }>(OBSERVED, [ACCEPTING_ROLES, SILENT_MS]);
    const row = rows[0];
    if (row === undefined) throw new Error('an aggregate answered no row');
    return {
      now: Number(row.now),
      observedUntil: Number(row.known),
      observedSince: row.began === null ? null : latest(row.began, row.unreported),
      lastSessionUse: row.used === null && row.unaccounted === null ? null : latest(row.used, row.unaccounted),
      silent: row.silent,
    };
  } catch (error) {
    throw controlError(error);
  }
}

const OBSERVED = `
  WITH i AS (
    SELECT i.id, i.role, i.lease_until, i.state = 'live' AND i.lease_until > wherry_now() AS lives, r.until, coalesce(r.closed, false) AS closed
    FROM instance i LEFT JOIN usage_reporter r ON r.instance = i.id WHERE i.role = ANY($1))
  SELECT wherry_now() AS now,
    least(wherry_now(), (SELECT min(coalesce(until, 0)) FROM i WHERE lives)) AS known,
    (SELECT min(since) FROM usage_reporter) AS began,
    (SELECT max(lease_until) FROM i WHERE until IS NULL AND NOT lives) AS unreported,
    (SELECT max(last_used) FROM client_usage WHERE kind <> 'jwt') AS used,
    (SELECT max(greatest(lease_until, until)) FROM i WHERE until IS NOT NULL AND NOT lives AND NOT closed) AS unaccounted,
    ARRAY(SELECT role || ' ' || id FROM i WHERE lives AND (until IS NULL OR until < wherry_now() - $2) ORDER BY 1) AS silent`;

function latest(a: bigint | null, b: bigint | null): number {
  return Math.max(Number(a ?? 0n), Number(b ?? 0n));
}
