import pg from 'pg';
import type { SessionKey, SessionRecord } from '@wherry/sessions';
import type { SlotMap } from '@wherry/shards';
import { COLUMNS, sessionValues } from './sample.ts';

const SELECTED = COLUMNS.slice(2).join(', ');
const LOOK_UP = `SELECT ${SELECTED} FROM user_session WHERE slot = $1 AND id = $2`;
const LOOK_UP_RAW = `SELECT ${SELECTED} FROM unnest($1::int[], $2::bigint[]) k(slot, id) JOIN user_session USING (slot, id)`;
const INSERT = `INSERT INTO user_session (${COLUMNS.join(', ')}) VALUES (${COLUMNS.map((_, i) => `$${i + 1}`).join(', ')})`;

/**
 * What one would write instead: a pool of 8 connections a database and one prepared statement a call. `raw` is the
 * other bound: whole batches of keys known beforehand, nothing checked, nothing converted.
 */
export class Peers {
  readonly #pools: readonly pg.Pool[];
  readonly #map: SlotMap;
  readonly #keysByShard: readonly (readonly SessionKey[])[];

  constructor(shardUrls: readonly string[], map: SlotMap, keys: readonly SessionKey[]) {
    this.#pools = shardUrls.map((connectionString) => {
      const pool = new pg.Pool({ connectionString, max: 8 });
      // A connection that the server closes while it is idle would otherwise end the process.
      pool.on('error', () => undefined);
      return pool;
    });
    this.#map = map;
    this.#keysByShard = shardUrls.map((_, shard) => keys.filter(({ slot }) => map.shardOf(slot) === shard));
  }

  /** One session by its key. */
  async lookUp({ slot, id }: SessionKey): Promise<number> {
    const { rowCount } = await this.#pool(slot).query({ name: 'look-up', text: LOOK_UP, values: [slot, id] });
    return rowCount ?? 0;
  }

  /** `count` sessions of one database in one statement; each worker stays with its database. */
  async lookUpRaw(count: number, worker: number): Promise<number> {
    const shard = worker % this.#pools.length;
    const keys = this.#keysByShard[shard] ?? [];
    const slots: number[] = [];
    const ids: bigint[] = [];
    for (let i = 0; i < count; i++) {
      const key = keys[(Math.random() * keys.length) | 0];
      if (key === undefined) continue;
      slots.push(key.slot);
      ids.push(key.id);
    }
    const values = [`{${slots.join(',')}}`, `{${ids.join(',')}}`];
    const result = await this.#pools[shard]?.query({ name: 'raw', text: LOOK_UP_RAW, values });
    return result?.rowCount ?? 0;
  }

  /** One session, stored. */
  async insert(record: SessionRecord): Promise<number> {
    const { rowCount } = await this.#pool(record.key.slot).query({ name: 'insert', text: INSERT, values: sessionValues(record) });
    return rowCount ?? 0;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#pools.map(async (pool) => pool.end()));
  }

  #pool(slot: number): pg.Pool {
    const pool = this.#pools[this.#map.shardOf(slot)];
    if (pool === undefined) throw new Error('the slot map names a shard that is not there');
    return pool;
  }
}
