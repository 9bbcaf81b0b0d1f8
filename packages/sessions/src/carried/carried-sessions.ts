import { WherryError } from '@wherry/core';
import type { EndReason } from '@wherry/revocation';
import { nativeTouch } from '../native-touch.ts';
import { carriedSessionKey, sessionIdText, type SessionKey, type SessionRecord } from '../record.ts';
import type { CarriedContext } from './context.ts';
import { applyEnd, endCarried, type EndOutcome } from './end.ts';
import { liveRecord, readCarried, type CarriedRead, type LiveSession } from './read.ts';
import { saveCarried, type SaveOutcome } from './save.ts';
import type { ShadowReads } from './shadow.ts';
import { convertSession } from './source-record.ts';
import { touchCarried, type TouchOutcome } from './touch.ts';

/** Carried-over sessions on both sides, whichever is primary for each: what instrumented applications, auth and gateway use. */
export class CarriedSessions {
  readonly #context: CarriedContext;
  readonly #shadow: ShadowReads | undefined;

  constructor(context: CarriedContext, shadow?: ShadowReads) {
    this.#context = context;
    this.#shadow = shadow;
  }

  /** Reads from the primary side. Errors: `source_unavailable`, `shard_unavailable`, `slot_not_owned`. */
  async read(rawId: string): Promise<CarriedRead> {
    const read = await readCarried(this.#context, rawId);
    if (read.state === 'live' && this.#shadow?.wanted === true) {
      this.#shadow.compare({ answered: read, other: () => this.#otherSide(read, rawId), again: () => this.#liveOnly(rawId) });
    }
    return read;
  }

  /** Saves `value` (JSON text) for `ttlMs`; null: for ever. Errors as `read`, and `session_unstorable`. */
  save(rawId: string, value: string, ttlMs: number | null): Promise<SaveOutcome> {
    return saveCarried(this.#context, rawId, value, ttlMs);
  }

  /** Extends the life to `ttlMs` from now. Errors as `read`. */
  touch(rawId: string, ttlMs: number | null): Promise<TouchOutcome> {
    return touchCarried(this.#context, rawId, ttlMs);
  }

  /** Ends a session for good; see {@link endCarried}. */
  end(rawId: string, reason: EndReason): Promise<EndOutcome> {
    return endCarried(this.#context, rawId, reason);
  }

  /**
   * Reads a session and makes sure that the target holds it too, so that from now on it can be found by its id alone:
   * what a token that names the id needs. Errors as `read`, and `session_collision`.
   */
  async carry(rawId: string): Promise<CarriedRead> {
    const read = await this.read(rawId);
    if (read.state !== 'live' || read.side === 'target') return read;
    const [session] = await this.#context.source.get([rawId]);
    // Forgotten by the source: what was read is the target's already.
    if (session === undefined && this.#context.sourceDoubted()) return read;
    if (session === undefined || session.ended) return { state: 'ended' };
    const converted = convertSession(session, this.#context);
    if (!converted.ok) return { state: 'undecodable', value: session.value, key: read.key };
    // Insert-or-newer: whoever is ahead of this reading stays ahead.
    const outcome = await this.#context.target.put(converted.record, read.epoch);
    if (outcome === 'not_owned') {
      await this.#context.slots.refresh();
      return this.carry(rawId);
    }
    if (outcome === 'collision') throw new WherryError('session_collision', 'another session has the same primary key');
    return outcome === 'ended' ? { state: 'ended' } : read;
  }

  /** Extends the life of a session that is known by its id alone, by the idle time that it has. */
  async touchById(slot: number, id: bigint): Promise<TouchOutcome> {
    const found = await this.#context.target.getById(slot, id);
    if (found.state !== 'live') return found.state === 'ended' ? 'ended' : 'missing';
    const { record } = found;
    if (record.expireTime !== null && record.expireTime <= this.#context.now()) return 'missing';
    if (record.sourceRef !== null) {
      const ttlMs = this.#ttlMs(record);
      // It ends at a moment that only the application puts off.
      if (ttlMs === undefined) return 'touched';
      return this.touch(this.#context.refs.open(record.key, record.sourceRef), ttlMs);
    }
    this.#context.target.touch(record.key, nativeTouch(record, this.#context.now(), this.#context.absoluteMs));
    return 'touched';
  }

  /** Ends a session that is known by its id alone: carried over or born here. Idempotent. */
  async endById(slot: number, id: bigint, reason: EndReason): Promise<EndOutcome> {
    const { target, refs, revocations, now } = this.#context;
    const found = await target.getById(slot, id);
    if (found.state === 'live' && found.record.sourceRef !== null)
      return this.end(refs.open(found.record.key, found.record.sourceRef), reason);
    const digest = found.state === 'live' ? found.record.key.digest : Buffer.alloc(0);
    const seq = await revocations.endSession({ slot, id, digest, reason });
    const propagated = revocations.propagated(seq);
    if (found.state === 'live') {
      await target.end(found.record.key, now());
      await revocations.markDrained(id).catch(() => undefined);
    }
    return { propagated: await propagated };
  }

  /** Applies an end that is recorded already, e.g. after a crash. */
  applyEnd(key: SessionKey, rawId: string): Promise<void> {
    return applyEnd(this.#context, key, rawId);
  }

  #idleMs(record: SessionRecord): number | null {
    return record.expireTime === null ? null : Math.max(0, record.expireTime - record.lastAccessTime);
  }

  /** The life that a touch may give, never past an end that only the application puts off; undefined: it has that already. */
  #ttlMs(record: SessionRecord): number | null | undefined {
    const idleMs = this.#idleMs(record);
    const decoded = this.#context.decode(record.attributes);
    if (!decoded.ok || decoded.session.expireTime === undefined || decoded.session.expireTimeFixed !== true) return idleMs;
    const end = Math.round(decoded.session.expireTime + this.#context.sourceOffsetMs());
    if (record.expireTime !== null && record.expireTime >= end) return undefined;
    const left = end - this.#context.now();
    return idleMs === null ? left : Math.min(idleMs, left);
  }

  async #liveOnly(rawId: string): Promise<LiveSession | undefined> {
    const read = await readCarried(this.#context, rawId);
    return read.state === 'live' ? read : undefined;
  }

  async #otherSide({ side, epoch }: LiveSession, rawId: string): Promise<LiveSession | undefined> {
    const key = carriedSessionKey(rawId);
    if (side === 'source') {
      const found = await this.#context.target.get(key);
      const read = found.state === 'live' ? liveRecord(this.#context, found.record, key, epoch) : undefined;
      return read?.state === 'live' ? read : undefined;
    }
    const [session] = await this.#context.source.get([rawId]);
    if (session === undefined || session.ended) return undefined;
    const converted = convertSession(session, this.#context);
    const read = converted.ok ? liveRecord(this.#context, converted.record, key, epoch) : undefined;
    return read?.state === 'live' ? read : undefined;
  }

  /** True when the end of this session is known here. */
  isEnded(key: SessionKey): boolean {
    return this.#context.ended.isSessionEnded(sessionIdText(key.id));
  }
}
