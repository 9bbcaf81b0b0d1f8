import { SingleFlight, WherryError, type Logger } from '@wherry/core';
import { audit, controlError, nextSeq, transaction, type Database, type Queryable } from '@wherry/core/control';
import { SLOT_MAP_TOPIC } from '@wherry/shards';
import type { SourceLives } from './lives.ts';

/** Options of {@link SourceHistory}. */
export interface SourceHistoryOptions {
  readonly control: Database;
  /** Absent: of a store that never forgets; then there is nothing to follow. */
  readonly lives: SourceLives | undefined;
  /** Loads the slot map as it is now. */
  readonly refreshSlots: () => Promise<void>;
  /** Brings the shards to what control says; what is not brought there now follows with the first write to it. */
  readonly tellShards: () => Promise<void>;
  readonly log: Logger;
}

interface Row {
  readonly lives: readonly string[];
  readonly former: readonly string[];
  readonly doubted: boolean;
}

const COLUMNS = 'lives, former, since > 0 AND compared_at IS NULL AS doubted';
/** How often is asked whether the two sides have been compared meanwhile. */
const LOOK_EVERY_MS = 1000;

/**
 * Which lives of the source's servers count, for all processes; see the table `source_life`.
 *
 * What can go wrong. A replica that takes over, or a server that restarts, may lack the last writes: saves, touches, and
 * tombstones. It would then give out versions that were given out before, with other contents, and read a session as
 * alive that was ended.
 *
 * Why it does not. Every call to the source names the life that it means, and the server refuses in the same step when it
 * has another. Whoever is refused brings the new life on record, by a transaction that also raises the epoch of every slot
 * whose primary side is the source: saves of the new life are newer than all of before, whatever number they get. A
 * process accepts the new life only after it has loaded the slots, and a save under an epoch of before is done again. A
 * life that was replaced never counts again, so a server that was cut off and is still talked to by some cannot change
 * this back. What is brought on record is looked at again under the record's lock: a process that stood still after its
 * look would otherwise replace the servers of now by those of then, and as what was replaced never counts again, nobody
 * could read any more. From the change on until a verification has compared everything, the source is doubted: readers and repairs
 * ask the target too, and what that holds of before the change, newer than what the source has, is what was acknowledged.
 */
export class SourceHistory {
  readonly #options: SourceHistoryOptions;
  readonly #following = new SingleFlight<'follow', void>();
  #doubted = false;
  #accepted = false;
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor(options: SourceHistoryOptions) {
    this.#options = options;
  }

  /** True from a change of lives on until the two sides have been compared: the source may lack what it had acknowledged. */
  readonly doubted = (): boolean => {
    if (this.#doubted && performance.now() - this.#lookedAt > LOOK_EVERY_MS) {
      this.#lookedAt = performance.now();
      void this.#look().catch(() => undefined);
    }
    return this.#doubted;
  };

  /** Resolves when it is known which lives count. Errors: `source_unavailable`, `control_unavailable`. */
  async known(): Promise<void> {
    if (this.#options.lives !== undefined && !this.#accepted) await this.follow();
  }

  /** True once {@link known} would not wait. */
  get isKnown(): boolean {
    return this.#options.lives === undefined || this.#accepted;
  }

  /** Accepts the lives that the servers have now, on record. Errors: `source_unavailable` while they are not certain, or have been replaced; `control_unavailable`. */
  async follow(): Promise<void> {
    await this.#following.run('follow', () => this.#follow());
  }

  async #follow(): Promise<void> {
    const { control, lives, refreshSlots, tellShards, log } = this.#options;
    if (lives === undefined) return;
    const current = await lives.current();
    const before = await recorded(control);
    const changed = before === undefined || !sameLives(before.lives, current) ? await record(control, lives, current) : false;
    const row = await recorded(control);
    if (row === undefined || !sameLives(row.lives, current))
      throw new WherryError('source_unavailable', 'the servers of the source keep changing');
    await refreshSlots();
    this.#doubted = row.doubted;
    this.#lookedAt = performance.now();
    lives.accept(row.lives);
    this.#accepted = true;
    if (!changed) return;
    log.warn('the source has restarted or failed over: the epoch of its slots was raised, and both sides will be compared');
    await tellShards().catch((error: unknown) => log.debug('shards hear of the raised epochs later', { error }));
  }

  async #look(): Promise<void> {
    this.#doubted = (await recorded(this.#options.control))?.doubted ?? false;
  }
}

/** Says that a verification which began at `startedAt` (control's clock, epoch ms) has found both sides equal. */
export async function sourceCompared(control: Queryable, startedAt: number): Promise<void> {
  await control.query('UPDATE source_life SET compared_at = $1 WHERE since > 0 AND since < $1 AND compared_at IS NULL', [startedAt]);
}

async function recorded(control: Queryable): Promise<Row | undefined> {
  try {
    return (await control.query<Row>(`SELECT ${COLUMNS} FROM source_life`)).rows[0];
  } catch (error) {
    throw controlError(error);
  }
}

/** True where this call has put the lives of now, which were `seen` a while ago, in the place of others. The first ones replace nothing. */
async function record(control: Database, lives: SourceLives, seen: readonly string[]): Promise<boolean> {
  try {
    return await transaction(control, async (tx) => {
      await tx.query('INSERT INTO source_life (lives) VALUES ($1) ON CONFLICT DO NOTHING', [seen]);
      const { rows } = await tx.query<Row>(`SELECT ${COLUMNS} FROM source_life FOR UPDATE`);
      const row = rows[0];
      if (row === undefined || sameLives(row.lives, seen)) return false;
      const current = await lives.current();
      if (sameLives(row.lives, current)) return false;
      if (current.some((life) => row.former.includes(life)))
        throw new WherryError('source_unavailable', 'a server of the source has been replaced, and this process still reaches it');
      await tx.query(
        `UPDATE source_life SET lives = $1, former = former || $2::text[], changes = changes + 1, since = wherry_now(), compared_at = NULL`,
        [current, row.lives.filter((life) => !current.includes(life))],
      );
      // Locked before the number is taken, as every change of the map does; one that is under way finds another epoch.
      await tx.query(`SELECT FROM slot_map WHERE primary_side = 'source' ORDER BY slot FOR UPDATE`);
      const seq = await nextSeq(tx, SLOT_MAP_TOPIC);
      const { rowCount } = await tx.query(
        `UPDATE slot_map SET epoch = epoch + 1, state = 'open', closing_until = NULL, seq = $1 WHERE primary_side = 'source'`,
        [seq],
      );
      await audit(tx, { actor: 'system', action: 'source.changed', details: { slots: rowCount ?? 0 } });
      return true;
    });
  } catch (error) {
    throw controlError(error);
  }
}

function sameLives(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((life) => b.includes(life));
}
