import { WherryError } from '@wherry/core';
import type { Database, Queryable } from '@wherry/core/control';
import type { Checkpoint } from './journal.ts';

/** The passes that are shared out. */
export type PassName = 'copy' | 'verify';

/** A part as whoever leads announces it. */
export interface NewPart {
  readonly part: string;
  /** Changes when cursors lose their meaning: the part starts again, for whoever works on it too. */
  readonly incarnation: string;
  /** About how many sessions; 0: unknown. */
  readonly expected: number;
}

/** A part that this process works on. */
export interface Claim {
  readonly pass: PassName;
  readonly part: string;
  /** Names this taking of the part, and no other ever. */
  readonly claim: bigint;
  /** The instance that took it. */
  readonly worker: string;
  /** Which verification; 0n for the copy. */
  readonly run: bigint;
  /** Where it stands. */
  readonly checkpoint: Checkpoint;
}

/** What a worker tells with a checkpoint. */
export interface WorkReport {
  /** Sessions a second, lately. */
  readonly rate: number;
  /** What holds it back, by name: see `PaceReport`. */
  readonly pace: Readonly<Record<string, number | null>>;
}

/** A part as operators see it. Times in epoch ms of the control database. */
export interface PartView {
  readonly pass: PassName;
  readonly part: string;
  readonly done: boolean;
  /** The instance whose claim counts now; null: it waits for a worker. */
  readonly worker: string | null;
  readonly expected: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly rate: number;
  readonly pace: Readonly<Record<string, number | null>>;
  readonly updatedAt: number;
}

const LIVE = `SELECT FROM instance i WHERE i.state = 'live' AND i.lease_until > wherry_now() AND i.id =`;

/** Parts that stay keep their checkpoint, claim and all; one with another incarnation starts again, and its holder is out. */
const OPEN = `
  WITH lead AS (SELECT FROM migration WHERE leader = $1),
  given AS (SELECT * FROM unnest($4::text[], $5::text[], $6::bigint[]) WITH ORDINALITY g (part, incarnation, expected, position)),
  gone AS (DELETE FROM migration_pass p WHERE p.pass = $2 AND EXISTS (SELECT FROM lead) AND NOT EXISTS (SELECT FROM given g WHERE g.part = p.part)),
  made AS (
    INSERT INTO migration_pass AS p (pass, part, incarnation, run, expected, position)
    SELECT $2, g.part, g.incarnation, $3, g.expected, g.position FROM given g WHERE EXISTS (SELECT FROM lead)
    ON CONFLICT (pass, part) DO UPDATE SET expected = excluded.expected, position = excluded.position,
      cursor = CASE WHEN p.incarnation = excluded.incarnation THEN p.cursor END,
      done = p.done AND p.incarnation = excluded.incarnation,
      counts = CASE WHEN p.incarnation = excluded.incarnation THEN p.counts ELSE '{}' END,
      worker = CASE WHEN p.incarnation = excluded.incarnation THEN p.worker END,
      incarnation = excluded.incarnation)
  SELECT EXISTS (SELECT FROM lead) AS leads`;

/** The first part that nobody works on. A part that another is just taking is passed over. */
const CLAIM = `
  UPDATE migration_pass p SET worker = $1, claim = nextval('migration_claim'), updated_at = wherry_now(), rate = 0
  WHERE (p.pass, p.part) = (
      SELECT q.pass, q.part FROM migration_pass q
      WHERE q.pass = $2 AND NOT q.done AND NOT (q.part = ANY ($3::text[])) AND EXISTS (${LIVE} $1)
        AND (q.worker IS NULL OR q.worker = $1 OR NOT EXISTS (${LIVE} q.worker))
      ORDER BY q.position, q.part LIMIT 1 FOR UPDATE SKIP LOCKED)
  RETURNING p.part, p.claim, p.run, p.incarnation, p.cursor, p.done, p.counts`;

/** The fence: the claim is the one that was given, and its worker's lease lives by the one clock that judges leases. */
const SAVE = `
  UPDATE migration_pass SET cursor = $5, done = $6, counts = $7, rate = $8, pace = $9, updated_at = wherry_now()
  WHERE pass = $2 AND part = $3 AND claim = $4 AND worker = $1 AND incarnation = $10 AND EXISTS (${LIVE} $1)`;

const VIEW = `
  SELECT pass, part, done, expected, counts, rate, pace, updated_at,
    CASE WHEN NOT done AND EXISTS (${LIVE} p.worker) THEN worker END AS worker
  FROM migration_pass p WHERE $1::text IS NULL OR pass = $1 ORDER BY pass, position, part`;

/**
 * The parts of the passes, shared out to any number of processes on any number of machines.
 *
 * A worker takes a part by a claim, which counts while the lease of its instance lives: as judged by the control
 * database's clock, and by the worker itself from the moment at which its renewal was sent, so that it stops first. A
 * worker that dies or stalls loses its parts with its lease; the next one goes on from the last checkpoint. A checkpoint
 * is written under the claim and the lease in one statement, so one that comes late changes nothing (`lease_lost`).
 *
 * What a stalled worker may still send to a shard is harmless. It is insert-or-newer under the epoch that was in force
 * when the page was read: what an application wrote since is newer, what ended since has a tombstone, a slot that
 * changed its side since has another epoch. What is left is a row that ran out meanwhile, which carries its expiry. And
 * no slot changes its side while a lapsed worker is not made up for by a verification that began after its lapse.
 */
export class WorkParts {
  readonly #database: Database;
  readonly #instance: () => string;

  constructor(database: Database, instance: () => string) {
    this.#database = database;
    this.#instance = instance;
  }

  /** Announces the parts of a pass, or what has changed of them. Only whoever leads: `lease_lost`. */
  async open(pass: PassName, run: bigint, parts: readonly NewPart[]): Promise<void> {
    const { rows } = await this.#database.query<{ leads: boolean }>(OPEN, [
      this.#instance(),
      pass,
      run,
      parts.map(({ part }) => part),
      parts.map(({ incarnation }) => incarnation),
      parts.map(({ expected }) => Math.round(expected)),
    ]);
    if (rows[0]?.leads !== true) throw new WherryError('lease_lost', 'another process drives the migration now');
  }

  /** Takes a part that nobody works on, other than those that this process `holds`; undefined: there is none now. */
  async claim(pass: PassName, holds: readonly string[] = []): Promise<Claim | undefined> {
    const worker = this.#instance();
    const { rows } = await this.#database.query<{
      part: string;
      claim: bigint;
      run: bigint;
      incarnation: string;
      cursor: string | null;
      done: boolean;
      counts: Record<string, number>;
    }>(CLAIM, [worker, pass, holds]);
    const row = rows[0];
    if (row === undefined) return undefined;
    const { part, claim, run, ...checkpoint } = row;
    return { pass, part, claim, worker, run, checkpoint };
  }

  /** Writes a checkpoint, only after everything that it covers has been written. `lease_lost`: the part is not this worker's any more. */
  async save({ pass, part, claim, worker }: Claim, { incarnation, cursor, done, counts }: Checkpoint, report: WorkReport): Promise<void> {
    const values = [worker, pass, part, claim, cursor, done, JSON.stringify(counts), report.rate, JSON.stringify(report.pace), incarnation];
    const { rowCount } = await this.#database.query(SAVE, values);
    if (rowCount !== 1) throw new WherryError('lease_lost', 'this process does not have the part any more');
  }

  /** Gives a part back as its last checkpoint left it. */
  async release({ pass, part, claim }: Claim): Promise<void> {
    await this.#database.query('UPDATE migration_pass SET worker = NULL WHERE pass = $1 AND part = $2 AND claim = $3', [pass, part, claim]);
  }

  /** All parts of a pass, or of all. */
  async view(pass?: PassName): Promise<PartView[]> {
    return viewParts(this.#database, pass);
  }
}

/** The parts as they stand, for status and progress. */
export async function viewParts(database: Queryable, pass?: PassName): Promise<PartView[]> {
  const { rows } = await database.query<Omit<PartView, 'expected' | 'updatedAt'> & { expected: bigint; updated_at: bigint }>(VIEW, [
    pass ?? null,
  ]);
  return rows.map(({ expected, updated_at: updatedAt, ...row }) => ({
    ...row,
    expected: Number(expected),
    updatedAt: Number(updatedAt),
  }));
}
