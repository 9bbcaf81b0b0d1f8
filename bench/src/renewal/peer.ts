import { createHash, randomBytes } from 'node:crypto';
import type { SlotMap } from '@wherry/shards';
import pg from 'pg';

const TABLE = `CREATE TABLE refresh_token (
  digest bytea PRIMARY KEY, grant_id bigint NOT NULL, user_id text NOT NULL, client_id text NOT NULL,
  payload text NOT NULL, expires_at bigint NOT NULL, consumed_at bigint);
  CREATE INDEX refresh_token_grant ON refresh_token (grant_id)`;
const FIND = 'SELECT grant_id, user_id, client_id, payload, expires_at, consumed_at FROM refresh_token WHERE digest = $1 FOR UPDATE';
const CONSUME = 'UPDATE refresh_token SET consumed_at = $2 WHERE digest = $1';
const INSERT = 'INSERT INTO refresh_token (digest, grant_id, user_id, client_id, payload, expires_at) VALUES ($1, $2, $3, $4, $5, $6)';
const LIFE_MS = 86_400_000;

interface Row {
  readonly grant_id: bigint;
  readonly user_id: string;
  readonly client_id: string;
  readonly payload: string;
  readonly expires_at: bigint;
  readonly consumed_at: bigint | null;
}

/** A token of the peer: on which database it lies, and its secret. */
export interface PeerToken {
  readonly shard: number;
  readonly token: string;
}

/**
 * Rotation as authorization servers do it over SQL: a row a token, found by its digest, marked consumed, its successor
 * inserted, in one transaction; prepared statements on a pool of 8 connections a database.
 */
export class RotatingTokens {
  readonly #pools: readonly pg.Pool[];

  constructor(shardUrls: readonly string[]) {
    this.#pools = shardUrls.map((connectionString) => {
      const pool = new pg.Pool({ connectionString, max: 8 });
      // A connection that the server closes while it is idle would otherwise end the process.
      pool.on('error', () => undefined);
      return pool;
    });
  }

  async createTables(): Promise<void> {
    for (const pool of this.#pools) await pool.query(TABLE);
  }

  /** The first token of a session. */
  async begin(sessionId: bigint, slot: number, map: SlotMap): Promise<PeerToken> {
    const token = newToken();
    const shard = map.shardOf(slot);
    const payload = JSON.stringify({ scope: 'openid profile', acr: '1', amr: ['pwd'], sessionUid: String(sessionId), rotations: 0 });
    await this.#pools[shard]?.query(INSERT, [digestOf(token), sessionId, '7', 'web', payload, Date.now() + LIFE_MS]);
    return { shard, token };
  }

  /** Consumes a token and answers its successor. */
  async rotate({ shard, token }: PeerToken): Promise<PeerToken> {
    const pool = this.#pools[shard];
    if (pool === undefined) throw new Error('the token names a database that is not there');
    const client = await pool.connect();
    try {
      await client.query('BEGIN');
      const { rows } = await client.query<Row>({ name: 'find', text: FIND, values: [digestOf(token)] });
      const [row] = rows;
      if (row === undefined || row.consumed_at !== null || Number(row.expires_at) < Date.now())
        throw new Error('not a token that can be renewed');
      const next = newToken();
      await client.query({ name: 'consume', text: CONSUME, values: [digestOf(token), Date.now()] });
      const values = [digestOf(next), row.grant_id, row.user_id, row.client_id, row.payload, row.expires_at];
      await client.query({ name: 'insert', text: INSERT, values });
      await client.query('COMMIT');
      return { shard, token: next };
    } catch (error) {
      await client.query('ROLLBACK');
      throw error;
    } finally {
      client.release();
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#pools.map(async (pool) => pool.end()));
  }
}

function newToken(): string {
  return randomBytes(32).toString('base64url');
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
