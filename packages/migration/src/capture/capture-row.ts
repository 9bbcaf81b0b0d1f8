import { WherryError } from '@wherry/core';
import type { Database, Queryable } from '@wherry/core/control';
import type { FeedPosition } from '@wherry/sessions';
import type { SettledStart } from './raised-users.ts';

/** Where the capture stands, as operators and gates see it. Times in epoch ms of the control database. */
export interface CaptureView {
  readonly kind: string;
  readonly reliable: boolean;
  /** `away`: it does not run, or cannot reach the source; `beginning`: it reads what was there. */
  readonly state: 'away' | 'beginning' | 'live';
  /** How long ago the source was where the target is now. */
  readonly lagMs: number;
  readonly lagBytes: number;
  /** Since when nothing can have been missed. */
  readonly begunAt: number;
  /** Since when the operator says that nobody writes past us any more; null: they do. */
  readonly releasedAt: number | null;
  /** When somebody last wrote past us; null: never seen. */
  readonly foreignAt: number | null;
  /** How often that was to a session whose primary side is the target. */
  readonly strays: number;
  readonly fault: string | null;
  /** How long ago this was written down, ms. */
  readonly ageMs: number;
  readonly now: number;
}

/** What a capture goes on from. */
export interface CaptureCheckpoint extends SettledStart {
  readonly position: FeedPosition | null;
  readonly base: number;
  readonly ceiling: number;
}

/** What is written down from time to time. */
export interface CaptureReport extends SettledStart {
  readonly state: CaptureView['state'];
  readonly position: FeedPosition;
  readonly ceiling: number;
  readonly lagMs: number;
  readonly lagBytes: number;
  /** A write past us since the last report. */
  readonly foreign: boolean;
  readonly strays: number;
}

/** Whoever drives the migration captures as well: its switch has to know that nothing is on the way. */
const CLAIM = `
  INSERT INTO migration_capture AS c (kind, reliable, leader, released_at)
  SELECT $2, $3, $1, CASE WHEN $4 THEN wherry_now() END
  WHERE NOT EXISTS (SELECT FROM migration m JOIN instance i ON i.id = m.leader
    WHERE m.leader <> $1 AND i.state = 'live' AND i.lease_until > wherry_now())
  ON CONFLICT (id) DO UPDATE SET leader = $1, kind = $2, reliable = $3, released_at = CASE WHEN $4 THEN coalesce(c.released_at, wherry_now()) END
  WHERE c.leader IS NULL OR c.leader = $1
     OR NOT EXISTS (SELECT FROM instance i WHERE i.id = c.leader AND i.state = 'live' AND i.lease_until > wherry_now())
  RETURNING history, at, detail, base, ceiling, whole, settled_seq`;

interface CheckpointRow {
  readonly history: string | null;
  readonly at: bigint;
  readonly detail: string;
  readonly base: bigint;
  readonly ceiling: bigint;
  readonly whole: boolean;
  readonly settled_seq: bigint;
}

interface ViewRow {
  readonly kind: string;
  readonly reliable: boolean;
  readonly state: CaptureView['state'];
  readonly lag_ms: bigint;
  readonly lag_bytes: bigint;
  readonly begun_at: bigint;
  readonly released_at: bigint | null;
  readonly foreign_at: bigint | null;
  readonly strays: bigint;
  readonly fault: string | null;
  readonly age_ms: bigint;
  readonly now: bigint;
}

/** Reads where the capture stands; undefined where there never was one. */
export async function readCapture(database: Queryable): Promise<CaptureView | undefined> {
  const { rows } = await database.query<ViewRow>(
    `SELECT kind, reliable, state, lag_ms, lag_bytes, begun_at, released_at, foreign_at, strays, fault, wherry_now() - updated_at AS age_ms, wherry_now() AS now FROM migration_capture`,
  );
  const row = rows[0];
  if (row === undefined) return undefined;
  return {
    kind: row.kind,
    reliable: row.reliable,
    state: row.state,
    lagMs: Number(row.lag_ms),
    lagBytes: Number(row.lag_bytes),
    begunAt: Number(row.begun_at),
    releasedAt: timeOf(row.released_at),
    foreignAt: timeOf(row.foreign_at),
    strays: Number(row.strays),
    fault: row.fault,
    ageMs: Number(row.age_ms),
    now: Number(row.now),
  };
}

function timeOf(value: bigint | null): number | null {
  return value === null ? null : Number(value);
}

/** The label of what is durably at the target; undefined where there never was a capture. */
export async function readLabel(database: Queryable): Promise<number | undefined> {
  const { rows } = await database.query<{ label: bigint }>('SELECT base + at AS label FROM migration_capture');
  const row = rows[0];
  return row === undefined ? undefined : Number(row.label);
}

/** Longer without a word from a capture: none judges. */
const SILENT_MS = 5000;

/** True while a capture finds out which sessions of raised users are log-ins. */
export async function judgesLogIns(database: Queryable): Promise<boolean> {
  const { rows } = await database.query(
    `SELECT FROM migration_capture WHERE reliable AND whole AND state = 'live' AND updated_at > wherry_now() - $1::bigint`,
    [SILENT_MS],
  );
  return rows.length > 0;
}

/** The capture's durable memory; every write but the claim is for who holds the lead only (`lease_lost`). */
export class CaptureRow {
  readonly #database: Database;
  readonly #instance: () => string;

  constructor(database: Database, instance: () => string) {
    this.#database = database;
    this.#instance = instance;
  }

  /** Takes the lead; undefined while another live process has it. `released`: the operator says that nobody writes past us any more. */
  async claim(kind: string, reliable: boolean, released: boolean): Promise<CaptureCheckpoint | undefined> {
    const { rows } = await this.#database.query<CheckpointRow>(CLAIM, [this.#instance(), kind, reliable, released]);
    const row = rows[0];
    if (row === undefined) return undefined;
    const { history, at, detail, base, ceiling, whole, settled_seq: settled } = row;
    const position = history === null ? null : { history, at: Number(at), detail };
    return { position, base: Number(base), ceiling: Number(ceiling), whole, settled };
  }

  /** It begins anew at `position`, with labels above all that were given out before. */
  async begin({ history, at, detail }: FeedPosition, base: number, ceiling: number): Promise<void> {
    await this.#write(
      `state = 'beginning', history = $2, at = $3, detail = $4, base = $5, ceiling = $6, begun_at = wherry_now(), whole = false, settled_seq = 0,
       fault = NULL`,
      [history, at, detail, base, ceiling],
    );
  }

  /** Something happened that is not known in its parts: both sides have to be compared anew. */
  async lostSight(): Promise<void> {
    await this.#write('begun_at = wherry_now(), whole = false, settled_seq = 0', []);
  }

  /** Before labels above the old ceiling are given out. */
  async raise(ceiling: number): Promise<void> {
    await this.#write('ceiling = $2', [ceiling]);
  }

  async report({ state, position, ceiling, lagMs, lagBytes, foreign, strays, whole, settled }: CaptureReport): Promise<void> {
    await this.#write(
      `state = $2, history = $3, at = $4, detail = $5, ceiling = $6, lag_ms = $7, lag_bytes = $8,
       foreign_at = CASE WHEN $9 THEN wherry_now() ELSE foreign_at END, strays = strays + $10, whole = $11, settled_seq = $12, fault = NULL`,
      [state, position.history, position.at, position.detail, ceiling, Math.round(lagMs), lagBytes, foreign, strays, whole, settled],
    );
  }

  async away(fault: string | null): Promise<void> {
    await this.#write(`state = 'away', fault = $2`, [fault]);
  }

  async yieldLead(): Promise<void> {
    await this.#database.query(`UPDATE migration_capture SET leader = NULL, state = 'away' WHERE leader = $1`, [this.#instance()]);
  }

  async #write(set: string, values: readonly unknown[]): Promise<void> {
    const text = `UPDATE migration_capture SET ${set}, updated_at = wherry_now() WHERE leader = $1`;
    const { rowCount } = await this.#database.query(text, [this.#instance(), ...values]);
    if (rowCount !== 1) throw new WherryError('lease_lost', 'another process captures now');
  }
}
