import { randomInt } from 'node:crypto';
import { systemClock, type Clock } from '@wherry/core';
import type { Database, FeedTopic } from '@wherry/core/control';
import type { RevocationChange } from './change.ts';
import { hashWords, idWords, userWords } from './key-words.ts';
import { PackedTable } from './packed-table.ts';
import { readHead, readRows, type RevocationRow } from './revocation-rows.ts';
import type { RevocationView } from './view.ts';

/** The feed topic of revocations. */
export const REVOCATION_TOPIC = 'revocation';

/** Options of {@link RevocationSet}. */
export interface RevocationSetOptions {
  readonly database: Database;
  /** Milliseconds since this process was proved to be up to date in {@link REVOCATION_TOPIC}. */
  readonly staleMs: () => number;
  /** Most records held; default 4,000,000, about 140 MB. At more the set counts as stale, see {@link RevocationSet.staleMs}. */
  readonly maxRecords?: number;
  readonly clock?: Clock;
}

/** How many records of each kind are held, and in how many bytes. */
export interface RevocationSetSize {
  readonly sessions: number;
  readonly sessionTokens: number;
  readonly families: number;
  readonly tokens: number;
  readonly users: number;
  readonly disabled: number;
  readonly bytes: number;
  /** True: there are more than may be held. */
  readonly overfull: boolean;
}

const MAX_RECORDS = 4_000_000;
/**
 * A record is forgotten this long after its time. Tokens are judged by this machine's clock: set back by an hour it takes
 * a token for alive that had expired, and the record has to be there still.
 */
const FORGET_MARGIN_MS = 3_660_000;
const SWEEP_EVERY_MS = 60_000;
/** How long one part of a sweep may take; the next part comes with the next news. */
const SWEEP_PART_MS = 3;
/** An overfull set is read anew when it is no fuller than this. */
const ROOM = 0.9;
/** In seconds since 1970 like its neighbours, and later than any of them. */
const NEVER = 0xffff_ffff;
/** Staleness of a set that cannot hold what has ended: never fresh, and yet a number, so that the process stays ready. */
const OVERFULL_MS = Number.MAX_SAFE_INTEGER;

/**
 * Every revocation that is in force, held in memory and followed over the feed. Sessions, bounds of their tokens, families,
 * single tokens and users' generations lie in packed tables, a million in some 30 MB; who is disabled is few and lies in a Map.
 */
export class RevocationSet implements FeedTopic, RevocationView {
  readonly topic: string = REVOCATION_TOPIC;
  readonly #options: RevocationSetOptions;
  readonly #clock: Clock;
  readonly #maxRecords: number;
  /** Ended sessions, families and tokens: from which second on each may be forgotten. */
  readonly #sessions: PackedTable;
  readonly #families: PackedTable;
  readonly #tokens: PackedTable;
  /** By session, the second up to which its tokens are ended. */
  readonly #sessionTokens: PackedTable;
  /** How long after that second such a bound is kept; known from the first row that comes. */
  #sessionTokensKeepS = Number.POSITIVE_INFINITY;
  /** Least generation that is alive. */
  readonly #users: PackedTable;
  /** By user, the number of the row that says whether he is disabled. */
  readonly #disabled = new Map<string, { readonly seq: number; readonly disabled: boolean }>();
  #disabledCount = 0;
  #issuerNotBefore = 0;
  #version = 0;
  #overfull = false;
  /** True: a row found no room since it was last set to false. */
  #missed = false;
  #sweptAt: number;
  /** The segment that a sweep has come to; undefined between sweeps. */
  #sweepFrom: number | undefined;

  constructor(options: RevocationSetOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#maxRecords = options.maxRecords ?? MAX_RECORDS;
    const seed = [randomInt(0x1_0000_0000), randomInt(0x1_0000_0000)] as const;
    this.#sessions = new PackedTable(idWords);
    this.#families = new PackedTable(idWords);
    this.#tokens = new PackedTable(hashWords(seed));
    this.#sessionTokens = new PackedTable(idWords);
    this.#users = new PackedTable(userWords(seed));
    this.#sweptAt = this.#clock.monotonic();
  }

  isSessionEnded(sid: string): boolean {
    return this.#sessions.get(sid) !== 0;
  }

  isFamilyEnded(fam: string): boolean {
    return this.#families.get(fam) !== 0;
  }

  isTokenEnded(jti: string): boolean {
    return this.#tokens.get(jti) !== 0;
  }

  sessionTokensNotBefore(sid: string): number {
    return this.#sessionTokens.get(sid);
  }

  minimumGeneration(userId: string): number {
    return this.isUserDisabled(userId) ? Number.POSITIVE_INFINITY : this.#users.get(userId);
  }

  isUserDisabled(userId: string): boolean {
    return this.#disabledCount > 0 && this.#disabled.get(userId)?.disabled === true;
  }

  get issuerNotBefore(): number {
    return this.#issuerNotBefore;
  }

  get version(): number {
    return this.#version;
  }

  /**
   * Where more has ended than may be held, the set is never fresh: what is not in it may have ended all the same, so
   * whoever asks for a bound goes to the session itself. To drop the oldest instead would bring ended sessions back;
   * to refuse everybody would turn a full memory into an outage of all instances at once.
   */
  get staleMs(): number {
    return this.#overfull ? OVERFULL_MS : this.#options.staleMs();
  }

  get size(): RevocationSetSize {
    const [sessions, sessionTokens, families] = [this.#sessions, this.#sessionTokens, this.#families];
    const [tokens, users] = [this.#tokens, this.#users];
    return {
      sessions: sessions.size,
      sessionTokens: sessionTokens.size,
      families: families.size,
      tokens: tokens.size,
      users: users.size,
      disabled: this.#disabledCount,
      bytes: sessions.bytes + sessionTokens.bytes + families.bytes + tokens.bytes + users.bytes,
      overfull: this.#overfull,
    };
  }

  /**
   * Takes note of a change that is durable, before the feed brings it. Changes may come late, doubled and in any order:
   * ends and generations only ever add up, and of two words about a disabled user the one with the higher number counts.
   */
  note({ kind, key, value, seq }: RevocationChange): void {
    // When a session, family or token may be forgotten is in the row, which the feed brings, or has brought.
    const known =
      (kind === 'session' && this.isSessionEnded(key)) ||
      (kind === 'family' && this.isFamilyEnded(key)) ||
      (kind === 'token' && this.isTokenEnded(key));
    if (!known) this.#apply({ kind, key, value, drained: false, expireTime: null, seq: Number(seq) });
    this.#version++;
  }

  /** {@link note} of a session's end. */
  noteSession(sid: string): void {
    this.note({ kind: 'session', key: sid, value: 0, seq: 0n });
  }

  async load(since: bigint): Promise<bigint> {
    const { database } = this.#options;
    // The head is read first, and only it is answered: what commits during the paging comes again with the next load. Rows
    // above it are applied all the same: one that was written anew meanwhile is not to be found under its old number.
    const { seq: until, now } = await readHead(database, REVOCATION_TOPIC);
    this.#sweep(now);
    // What found no room has to be read again, from the beginning.
    const all = this.#overfull && this.#records() < ROOM * this.#maxRecords;
    if (all) this.#missed = false;
    for await (const page of readRows(database, all ? 0n : since)) {
      for (const row of page) this.#apply(row);
      this.#version++;
    }
    if (all && !this.#missed) this.#overfull = false;
    this.#version++;
    return until;
  }

  #records(): number {
    const { size } = this.#disabled;
    return this.#sessions.size + this.#sessionTokens.size + this.#families.size + this.#tokens.size + this.#users.size + size;
  }

  #apply(row: RevocationRow): void {
    const { kind, key, value } = row;
    switch (kind) {
      case 'session':
        this.#put(this.#sessions, key, forgetSecond(row));
        return;
      case 'session_tokens':
        this.#endSessionTokens(row);
        return;
      case 'family':
        this.#put(this.#families, key, forgetSecond(row));
        return;
      case 'token':
        this.#put(this.#tokens, key, forgetSecond(row));
        return;
      case 'user':
        if (value > this.#users.get(key)) this.#put(this.#users, key, Math.min(value, NEVER));
        return;
      case 'disabled':
        this.#disable(row);
        return;
      case 'issuer':
        this.#issuerNotBefore = Math.max(value, this.#issuerNotBefore);
    }
  }

  #endSessionTokens({ key, value, expireTime }: RevocationRow): void {
    if (expireTime !== null) this.#sessionTokensKeepS = Math.ceil((expireTime + FORGET_MARGIN_MS) / 1000) - value;
    if (value > this.#sessionTokens.get(key)) this.#put(this.#sessionTokens, key, Math.min(value, NEVER));
  }

  #disable({ key, value, seq }: RevocationRow): void {
    const known = this.#disabled.get(key);
    if (known !== undefined && known.seq >= seq) return;
    if (known === undefined && !this.#hasRoom()) return;
    const disabled = value !== 0;
    this.#disabledCount += Number(disabled) - Number(known?.disabled ?? false);
    this.#disabled.set(key, { seq, disabled });
  }

  #put(table: PackedTable, key: string, value: number): void {
    if (table.get(key) === 0 && !this.#hasRoom()) return;
    table.set(key, value);
  }

  #hasRoom(): boolean {
    if (this.#records() < this.#maxRecords) return true;
    this.#overfull = true;
    this.#missed = true;
    return false;
  }

  /** By the earlier of two clocks, so that neither of them forgets too early when it jumps ahead. A part at a time. */
  #sweep(controlNow: number): void {
    const began = this.#clock.monotonic();
    if (this.#sweepFrom === undefined) {
      if (began - this.#sweptAt < SWEEP_EVERY_MS) return;
      this.#sweptAt = began;
      this.#sweepFrom = 0;
    }
    const second = Math.floor(Math.min(controlNow, this.#clock.now()) / 1000);
    const keep = (forgetAt: number): boolean => forgetAt >= second;
    const keepBound = (notBefore: number): boolean => notBefore + this.#sessionTokensKeepS >= second;
    while (this.#sweepFrom < this.#sessions.segments) {
      this.#sessions.prune(this.#sweepFrom, keep);
      this.#families.prune(this.#sweepFrom, keep);
      this.#tokens.prune(this.#sweepFrom, keep);
      this.#sessionTokens.prune(this.#sweepFrom, keepBound);
      this.#sweepFrom++;
      if (this.#clock.monotonic() - began >= SWEEP_PART_MS) return;
    }
    this.#sweepFrom = undefined;
  }
}

function forgetSecond({ drained, expireTime }: RevocationRow): number {
  if (!drained || expireTime === null) return NEVER;
  return Math.min(NEVER - 1, Math.max(1, Math.ceil((expireTime + FORGET_MARGIN_MS) / 1000)));
}
