import type { Queryable } from './database.ts';

/** What is written into the audit table: who did what, and why. No secrets. */
export interface AuditEntry {
  /** `system`, or the operator's name as the command line knows it. */
  readonly actor: string;
  /** In the form `thing.verb`, e.g. `rollout.advance`. */
  readonly action: string;
  readonly reason?: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** Writes an entry; inside a transaction it stands and falls with the act that it tells of. */
export async function audit(database: Queryable, entry: AuditEntry): Promise<void> {
  await database.query('INSERT INTO audit (actor, action, reason, details) VALUES ($1, $2, $3, $4)', [
    entry.actor,
    entry.action,
    entry.reason ?? null,
    JSON.stringify(entry.details ?? {}),
  ]);
}
