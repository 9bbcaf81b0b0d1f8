import { WherryError, isWherryError, type Sealer } from '@wherry/core';
import { audit, controlError, leastAcknowledged, nextSeq, transaction, type Database, type Transaction } from '@wherry/core/control';
import type { ImportedKey } from './imported-key.ts';
import { jwkThumbprint } from './jwk.ts';
import { DEFAULT_RSA_BITS, announceConfigured, isOfKind, kindOf, readWanted, setWanted, type KeyKind } from './key-policy.ts';
import { KEY_TOPIC, LIVING_KEYS, isSharedAhead, listKeys, recordOf, type KeyInfo, type KeyRow } from './key-rows.ts';
import { DEFAULT_SIGN_STALE_MS, type SigningAlgorithm } from './key-source.ts';
import { dueTransitions, type KeyState, type KeyTransition } from './key-transitions.ts';
import { newKey, type NewKey, type PublicJwk } from './new-key.ts';

/** Options of {@link KeyStore}. */
export interface KeyStoreOptions {
  readonly database: Database;
  /** Made for the purpose `signing-key`; private parts of shared keys are stored under it, tied to their kid. */
  readonly sealer: Sealer;
  /** Longest life of a token in seconds. */
  readonly lifeS: number;
  /** How far the clocks of issuer and verifier may be apart, milliseconds; default 30000. */
  readonly skewMs?: number;
  /** How long an issuer that is cut off goes on signing, milliseconds; as `KeyRingOptions.signStaleMs`, default 60000. */
  readonly signStaleMs?: number;
  /** How long readers of the published key set may keep it, seconds; default 300. */
  readonly jwksMaxAgeS?: number;
  /** How long after its end a token may be presented for renewal, milliseconds; default 0: renewal does not look at it. */
  readonly renewalGraceMs?: number;
}

/** Who asks, and why; goes into the audit table. */
export interface KeyCommand {
  readonly actor: string;
  readonly reason?: string;
}

/** What a change wrote: await its acknowledgement to know that it is in force everywhere. */
export interface KeyChange {
  readonly kid: string;
  readonly seq: bigint;
}

/** How a new row differs from a shared key that was made here and waits for nobody but verifiers. */
interface Insertion {
  readonly owner?: string;
  /** Before which it does not sign, milliseconds. */
  readonly waitMs?: number;
  readonly origin?: KeyInfo['origin'];
  /** Of a key that only verifies. */
  readonly keepUntil?: number;
}

/** Serialises all changes of keys. The number is arbitrary but fixed. */
const KEYS_LOCK = 7_305_402_212n;

const STEP = `
  UPDATE signing_key SET state = $2, seq = $3,
    activated_at = CASE WHEN $2 = 'active' THEN wherry_now() ELSE activated_at END,
    keep_until = CASE WHEN $2 = 'retiring' THEN wherry_now() + longest_life_s * 1000::bigint + greatest(grace_ms, $4) ELSE keep_until END,
    sealed_private = CASE WHEN $2 = 'gone' THEN NULL ELSE sealed_private END
  WHERE kid = $1`;

/**
 * The signing keys in the control database and every change of them. Each change is one transaction under one lock, and
 * takes its number in the feed, by which verifiers and issuers learn of it. All commands are harmless when repeated.
 */
export class KeyStore {
  readonly #options: KeyStoreOptions;
  /** Beyond a token's life: clocks apart, an issuer that has not heard that its key retired, and renewal. */
  readonly #graceMs: number;
  readonly #publishedMs: number;

  constructor(options: KeyStoreOptions) {
    this.#options = options;
    this.#graceMs = (options.skewMs ?? 30_000) + (options.signStaleMs ?? DEFAULT_SIGN_STALE_MS) + (options.renewalGraceMs ?? 0);
    this.#publishedMs = (options.jwksMaxAgeS ?? 300) * 1000;
  }

  /** Notes what this issuer is configured to sign with; news of that makes {@link ensureShared} change the algorithm. */
  async announce(kind: KeyKind): Promise<void> {
    await this.#change((tx) => announceConfigured(tx, kind));
  }

  /**
   * Sees to it that a shared key is there, and that one older than `rotateAfterMs`, or not of the kind that is wanted,
   * gets a successor. `alg` counts where nobody has announced anything. The first key ever signs at once. Answers what
   * it made.
   */
  async ensureShared(alg: SigningAlgorithm, rotateAfterMs: number = Number.POSITIVE_INFINITY): Promise<KeyChange | undefined> {
    return this.#change(async (tx, rows, now) => {
      const wanted = await readWanted(tx);
      const make = async (reason: string, waitMs: number): Promise<KeyChange> =>
        this.#insert(tx, await newKey(wanted?.alg ?? alg, wanted?.rsaBits), { actor: 'system', reason }, { waitMs });
      const ahead = rows.filter(isSharedAhead);
      if (ahead.length === 0) return make('no shared key was there', 0);
      if (!ahead.every(({ state }) => state === 'active')) return undefined;
      if (ahead.some(({ activated_at }) => now - Number(activated_at ?? 0n) > rotateAfterMs))
        return make('the active key is old', this.#publishedMs);
      const other = wanted !== undefined && ahead.some((row) => !isOfKind(row.public_jwk, row.alg, wanted));
      return other ? make('another algorithm is wanted', this.#publishedMs) : undefined;
    });
  }

  /** Publishes a new shared key; it takes over once every live verifier has it and published sets have aged out. Throws `conflict` while one waits. */
  async rotate(alg: SigningAlgorithm, command: KeyCommand, rsaBits: number = DEFAULT_RSA_BITS): Promise<KeyChange> {
    const key = await newKey(alg, rsaBits);
    return this.#change(async (tx, rows) => {
      await setWanted(tx, { alg, rsaBits });
      return this.#publishShared(tx, rows, key, command);
    });
  }

  /**
   * Takes in a key that was made elsewhere. With its private part it becomes the next shared key, as if it had been
   * made here; without it verifies until `keepUntil`, epoch milliseconds (default: as long as a token that is issued now
   * can live). Throws `conflict` for an id or a key that was ever here, also one that was removed, and while another
   * key waits to take over.
   */
  async import(key: ImportedKey, command: KeyCommand, keepUntil?: number): Promise<KeyChange> {
    return this.#change(async (tx, rows, now) => {
      const known = await tx.query<{ kid: string; public_jwk: PublicJwk }>('SELECT kid, public_jwk FROM signing_key');
      const thumbprint = jwkThumbprint(key.publicJwk);
      for (const { kid, public_jwk } of known.rows) {
        if (kid === key.kid)
          throw new WherryError('conflict', 'a key of this id is or was here; ids are never used again', { data: { kid } });
        if (jwkThumbprint(public_jwk) === thumbprint)
          throw new WherryError('conflict', 'the key is or was here under another id', { data: { kid } });
      }
      const { privateKey } = key;
      if (privateKey !== undefined) {
        await setWanted(tx, kindOf(key.publicJwk, key.alg));
        return this.#publishShared(tx, rows, { ...key, privateKey }, command, 'imported');
      }
      const until = keepUntil ?? now + this.#options.lifeS * 1000 + this.#graceMs;
      if (!Number.isSafeInteger(until) || until <= now)
        throw new WherryError('bad_request', 'the key would have to be kept until a moment that is past');
      return this.#insert(tx, key, command, { origin: 'imported', keepUntil: until });
    });
  }

  /** Publishes the public part of a process's own key. Only its maker can ever sign with it. */
  publishOwn(key: NewKey, instanceId: string): Promise<KeyChange> {
    return this.#change((tx) => this.#insert(tx, key, { actor: 'system', reason: 'own key of an instance' }, { owner: instanceId }));
  }

  /** Moves a living key from an ended registration of this process to its new one; false when it had been retired meanwhile. */
  async adoptOwn(kid: string, instanceId: string): Promise<boolean> {
    return this.#change(async (tx, rows) => {
      const row = rows.find((row) => row.kid === kid);
      if (row === undefined || row.owner_instance === null || row.state === 'retiring') return false;
      await tx.query('UPDATE signing_key SET owner_instance = $2, seq = $3 WHERE kid = $1', [
        kid,
        instanceId,
        await nextSeq(tx, KEY_TOPIC),
      ]);
      return true;
    });
  }

  /**
   * Takes a key out of use in good order: nothing is signed by it any more, what was signed stays valid. The active
   * shared key is refused with `conflict` (rotate it), an unknown one with `not_found`.
   */
  async retire(kid: string, command: KeyCommand): Promise<KeyChange> {
    return this.#change(async (tx, rows) => {
      const row = living(rows, kid);
      if (row.state === 'active' && row.owner_instance === null)
        throw new WherryError('conflict', 'the active shared key retires when another takes over: rotate', { data: { kid } });
      if (row.state === 'retiring') return { kid, seq: row.seq };
      await this.#keepKind(tx, rows, row);
      return this.#step(tx, { kid, to: row.state === 'next' ? 'gone' : 'retiring' }, command);
    });
  }

  /**
   * Takes a key away at once, for one that was stolen: every token that it signed is refused from the moment at which a
   * verifier hears of it. A shared key that had been signing gets a successor, which waits only for the verifiers. With
   * `unlessInUse` it throws `key_in_use` where a token signed by the key may live, its data saying until when.
   */
  async remove(kid: string, command: KeyCommand, { unlessInUse = false }: { readonly unlessInUse?: boolean } = {}): Promise<KeyChange> {
    return this.#change(async (tx, rows, now) => {
      const row = living(rows, kid);
      const until = this.#inUseUntil(row, now);
      if (unlessInUse && until !== undefined)
        throw new WherryError('key_in_use', `tokens signed by the key may live until ${new Date(until).toISOString()}`, {
          data: { kid, until },
        });
      await this.#keepKind(tx, rows, row);
      const change = await this.#step(tx, { kid, to: 'gone' }, command, until === undefined ? {} : { forced: true, from: row.state });
      if (row.owner_instance !== null || row.state !== 'active') return change;
      const waiting = rows.find((other) => other.owner_instance === null && other.state === 'next');
      if (waiting === undefined) {
        const wanted = await readWanted(tx);
        await this.#insert(tx, await newKey(wanted?.alg ?? row.alg, wanted?.rsaBits), {
          actor: 'system',
          reason: 'successor of a removed key',
        });
      } else await tx.query('UPDATE signing_key SET signs_after = wherry_now() WHERE kid = $1', [waiting.kid]);
      return change;
    });
  }

  /**
   * Takes every step that is due: keys that may sign now, keys of processes that are gone, keys whose last token has
   * died. Any process may call it, at any time. Answers whether a key waits for nothing but verifiers.
   */
  async maintain(): Promise<{ readonly steps: readonly KeyTransition[]; readonly waiting: boolean }> {
    return this.#change(async (tx, rows, now) => {
      const { lifeS } = this.#options;
      const raise = rows.filter((row) => row.state !== 'retiring' && (row.longest_life_s < lifeS || Number(row.grace_ms) < this.#graceMs));
      for (const { kid } of raise) {
        await tx.query(
          'UPDATE signing_key SET longest_life_s = greatest(longest_life_s, $2), grace_ms = greatest(grace_ms, $3), seq = $4 WHERE kid = $1',
          [kid, lifeS, this.#graceMs, await nextSeq(tx, KEY_TOPIC)],
        );
      }
      const steps = dueTransitions(rows.map(recordOf), now, await leastAcknowledged(tx, KEY_TOPIC));
      for (const step of steps) await this.#step(tx, step, { actor: 'system' });
      const moved = new Set(steps.map(({ kid }) => kid));
      return { steps, waiting: rows.some((row) => row.state === 'next' && !moved.has(row.kid) && Number(row.signs_after) <= now) };
    });
  }

  /** The keys that are not gone, oldest first. */
  async list(): Promise<KeyInfo[]> {
    return listKeys(this.#options.database).catch(rethrow);
  }

  /** Taking back the key that waits also takes back the wish for its algorithm, or the keeper would make it anew. */
  async #keepKind(tx: Transaction, rows: readonly KeyRow[], taken: KeyRow): Promise<void> {
    const active = rows.find((row) => row.owner_instance === null && row.state === 'active');
    if (taken.owner_instance !== null || taken.state !== 'next' || active === undefined) return;
    await setWanted(tx, kindOf(active.public_jwk, active.alg));
  }

  /** The moment from which on no token signed by the key can live, were it to stop signing now; undefined: none lives. */
  #inUseUntil({ state, activated_at, keep_until, longest_life_s, grace_ms }: KeyRow, now: number): number | undefined {
    if (state !== 'retiring' && activated_at === null) return undefined;
    const graceMs = Math.max(Number(grace_ms), this.#graceMs);
    const until = state === 'retiring' ? Number(keep_until ?? 0n) : now + longest_life_s * 1000 + graceMs;
    return until > now ? until : undefined;
  }

  async #change<T>(work: (tx: Transaction, rows: readonly KeyRow[], now: number) => Promise<T>): Promise<T> {
    return transaction(this.#options.database, async (tx) => {
      await tx.query('SELECT pg_advisory_xact_lock($1)', [KEYS_LOCK]);
      const { rows } = await tx.query<KeyRow>(LIVING_KEYS);
      const now = await tx.query<{ now: bigint }>('SELECT wherry_now() AS now');
      return work(tx, rows, Number(now.rows[0]?.now ?? 0n));
    }).catch(rethrow);
  }

  async #publishShared(
    tx: Transaction,
    rows: readonly KeyRow[],
    key: NewKey,
    command: KeyCommand,
    origin: KeyInfo['origin'] = 'made',
  ): Promise<KeyChange> {
    const ahead = rows.filter(isSharedAhead);
    if (ahead.some(({ state }) => state === 'next')) throw new WherryError('conflict', 'a shared key is already waiting to take over');
    return this.#insert(tx, key, command, { origin, waitMs: ahead.length === 0 ? 0 : this.#publishedMs });
  }

  async #insert(tx: Transaction, key: ImportedKey, command: KeyCommand, how: Insertion = {}): Promise<KeyChange> {
    const { sealer, lifeS } = this.#options;
    const { owner = null, waitMs = 0, origin = 'made', keepUntil = null } = how;
    const { kid, alg, privateKey, publicJwk } = key;
    const { rows } = await tx.query<{ some: boolean }>('SELECT EXISTS (SELECT FROM signing_key) AS some');
    // The first key ever: no verifier holds a set in which it is missing and believes that set complete.
    const state: KeyState = privateKey === undefined ? 'retiring' : rows[0]?.some === false ? 'active' : 'next';
    const sealed =
      owner === null && privateKey !== undefined
        ? sealer.seal(privateKey.export({ format: 'der', type: 'pkcs8' }), Buffer.from(kid, 'utf8'))
        : null;
    const action = origin === 'imported' ? 'signing_key.import' : 'signing_key.publish';
    await audit(tx, { ...command, action, details: { kid, alg, state, owner } });
    const seq = await nextSeq(tx, KEY_TOPIC);
    await tx.query(
      `INSERT INTO signing_key (kid, alg, state, public_jwk, sealed_private, owner_instance, longest_life_s, grace_ms, signs_after, activated_at, keep_until, origin, seq)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, wherry_now() + $9, CASE WHEN $3 = 'active' THEN wherry_now() END, $10, $11, $12)`,
      [kid, alg, state, JSON.stringify(publicJwk), sealed, owner, lifeS, this.#graceMs, waitMs, keepUntil, origin, seq],
    );
    return { kid, seq };
  }

  async #step(tx: Transaction, { kid, to }: KeyTransition, command: KeyCommand, details: Record<string, unknown> = {}): Promise<KeyChange> {
    await audit(tx, { ...command, action: `signing_key.${to}`, details: { kid, ...details } });
    const seq = await nextSeq(tx, KEY_TOPIC);
    await tx.query(STEP, [kid, to, seq, this.#graceMs]);
    return { kid, seq };
  }
}

function living(rows: readonly KeyRow[], kid: string): KeyRow {
  const row = rows.find((row) => row.kid === kid);
  if (row === undefined) throw new WherryError('not_found', 'no living key has this id', { data: { kid } });
  return row;
}

function rethrow(error: unknown): never {
  throw isWherryError(error) ? error : controlError(error);
}
