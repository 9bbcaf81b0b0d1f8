import { SingleFlight, type Clock } from '@wherry/core';
import type { SessionKey, SessionRuntime } from '@wherry/sessions';
import { LRUCache } from 'lru-cache';
import type { SessionCredential } from './credential.ts';
import { refusal, type Outcome } from './outcome.ts';
import type { SessionFinding, SessionReader } from './session-reader.ts';

/** Options of {@link SessionCache}. Milliseconds. */
export interface SessionCacheSettings {
  readonly runtime: SessionRuntime;
  readonly reader: SessionReader;
  readonly size: number;
  readonly ttlMs: number;
  /** Whether sessions whose source is primary are kept. */
  readonly source: boolean;
  /** Whether news are recent enough to believe a memory. */
  readonly fresh: () => boolean;
  readonly callerOf: (credential: Named, finding: SessionFinding & { readonly state: 'live' }) => Outcome;
  readonly clock: Clock;
}

/** Which session is meant, without the secret by which it was asked for. */
type Named = Pick<SessionCredential, 'kind' | 'key'>;

/** An answer and what has to be true for it to be given again. */
interface Remembered {
  readonly outcome: Outcome;
  readonly epoch: number;
  /** Target's clock, epoch ms; null: never. */
  readonly expireTime: number | null;
  /** On the monotonic clock. */
  readonly until: number;
  /** The revocations at which it was last looked at. */
  revocationsVersion: number;
  /** The bound of the session's tokens before the reading. */
  readonly tokensNotBefore: number;
}

/** Counts since the start. */
export interface SessionCacheStats {
  readonly hits: number;
  readonly misses: number;
  readonly joined: number;
  readonly remembered: number;
}

/** Nothing lives there: believed for a short while only, so that garbage does not reach the stores each time. */
const ABSENT_MS = 1000;
/** Lives differ by this share, so that what was read together is not read again together. */
const JITTER = 0.2;

/**
 * Sessions that were read a moment ago, found by id and digest, never by the secret.
 *
 * What a memory must not do is answer for a session that has changed since. Ends and raised generations come as
 * revocations and are asked for at every use, with proof that none is missing (`fresh`); another user or other
 * authorities raise the bound of the session's tokens, which is compared; a slot that changed sides or shard has another
 * epoch, and then nothing of the old one counts; expiry is compared at every use. What is left is a change that nobody
 * tells of, which is seen after `ttlMs` at the latest.
 */
export class SessionCache {
  readonly #settings: SessionCacheSettings;
  readonly #remembered: LRUCache<string, Remembered> | undefined;
  readonly #flights = new SingleFlight<string, Outcome>();
  #hits = 0;
  #misses = 0;
  #joined = 0;

  constructor(settings: SessionCacheSettings) {
    this.#settings = settings;
    this.#remembered = settings.size === 0 ? undefined : new LRUCache({ max: settings.size });
  }

  get stats(): SessionCacheStats {
    return { hits: this.#hits, misses: this.#misses, joined: this.#joined, remembered: this.#remembered?.size ?? 0 };
  }

  /** Who a session credential belongs to: at once where that is remembered. Rejects as the reader does. */
  judge(credential: SessionCredential): Outcome | Promise<Outcome> {
    if (!this.#mayRemember(credential)) return this.#read(credential);
    return this.recall(credential) ?? this.#join(nameOf(credential.key), credential);
  }

  /** The same where it is remembered; undefined: a store would have to be asked. */
  recall(credential: SessionCredential): Outcome | undefined {
    if (!this.#mayRemember(credential)) return undefined;
    const known = this.#look(nameOf(credential.key), credential.key);
    if (known !== undefined) this.#hits++;
    return known;
  }

  /**
   * Reads a session of which the target is the primary side, before somebody asks for it. False: it is not remembered, since
   * it was already, is nobody's, or lies elsewhere. Rejects as the reader does.
   */
  async warm({ kind, key }: Named): Promise<boolean> {
    const name = nameOf(key);
    if (!this.#mayRemember({ kind, key }) || this.#look(name, key) !== undefined) return false;
    // What is not found may lie elsewhere: who asks with the secret is answered by all that is known.
    const alive = (finding: SessionFinding): boolean => finding.state === 'live';
    const outcome = await this.#keep(name, { kind, key }, () => this.#settings.reader.readTarget({ kind, key }), alive);
    return outcome.ok;
  }

  /** The remembered answer, if it still stands. */
  #look(name: string, key: SessionKey): Outcome | undefined {
    const entry = this.#remembered?.get(name);
    if (entry === undefined) return undefined;
    const { runtime, clock } = this.#settings;
    const stands =
      clock.monotonic() < entry.until &&
      runtime.slots.epochOf(key.slot) === entry.epoch &&
      (entry.expireTime === null || runtime.now() < entry.expireTime) &&
      this.#notRevoked(entry, key);
    if (stands) return entry.outcome;
    this.#remembered?.delete(name);
    return undefined;
  }

  #notRevoked(entry: Remembered, key: SessionKey): boolean {
    const { ended } = this.#settings.runtime;
    const { version } = ended;
    if (entry.revocationsVersion === version) return true;
    // An end that is remembered stays true; one that lives is asked about again. A generation that was raised may have
    // been raised on the session too, so it is read again rather than refused.
    const sid = key.id.toString();
    if (ended.sessionTokensNotBefore(sid) !== entry.tokensNotBefore) return false;
    if (entry.outcome.ok) {
      if (ended.isSessionEnded(sid)) return false;
      if (entry.outcome.generation < ended.minimumGeneration(entry.outcome.principal.userId)) return false;
    }
    entry.revocationsVersion = version;
    return true;
  }

  /** Joins a reading under way; what it brings is looked at again, since an end may have become known after it began. */
  async #join(name: string, credential: SessionCredential): Promise<Outcome> {
    const before = this.#flights.size;
    const flight = this.#flights.run(name, () => {
      this.#misses++;
      return this.#keep(name, credential, () => this.#settings.reader.read(credential), isPlain);
    });
    if (this.#flights.size === before) this.#joined++;
    const outcome = await flight;
    if (outcome.ok && this.#look(name, credential.key) !== outcome) return this.#read(credential);
    return outcome;
  }

  async #keep(
    name: string,
    credential: Named,
    read: () => Promise<SessionFinding>,
    worth: (finding: SessionFinding) => boolean,
  ): Promise<Outcome> {
    const { runtime, ttlMs, clock } = this.#settings;
    const { slot } = credential.key;
    const epoch = runtime.slots.epochOf(slot);
    const revocationsVersion = runtime.ended.version;
    const tokensNotBefore = runtime.ended.sessionTokensNotBefore(credential.key.id.toString());
    const began = clock.monotonic();
    const finding = await read();
    const outcome = this.#outcomeOf(credential, finding);
    // The reading may have found that the slot had moved; then nobody knows which epoch it belongs to.
    if (runtime.slots.epochOf(slot) !== epoch) return outcome;
    const lifeMs = finding.state === 'live' ? ttlMs * (1 - Math.random() * JITTER) : Math.min(ttlMs, ABSENT_MS);
    const expireTime = finding.state === 'live' ? finding.expireTime : null;
    if (worth(finding))
      this.#remembered?.set(name, { outcome, epoch, expireTime, until: began + lifeMs, revocationsVersion, tokensNotBefore });
    return outcome;
  }

  async #read(credential: SessionCredential): Promise<Outcome> {
    this.#misses++;
    return this.#outcomeOf(credential, await this.#settings.reader.read(credential));
  }

  #outcomeOf(credential: Named, finding: SessionFinding): Outcome {
    switch (finding.state) {
      case 'live':
        return this.#settings.callerOf(credential, finding);
      case 'absent':
        return refusal(credential.kind, 'session_unknown');
      case 'ended':
        return refusal(credential.kind, 'session_ended');
      case 'anonymous':
        return refusal(credential.kind, 'unauthenticated');
      case 'undecodable':
        return refusal(credential.kind, 'session_undecodable');
    }
  }

  #mayRemember(credential: Named): boolean {
    return this.#remembered !== undefined && this.#mayKeep(credential) && this.#settings.fresh();
  }

  #mayKeep({ kind, key }: Named): boolean {
    const { source, runtime } = this.#settings;
    return source || kind === 'session_token' || (runtime.slots.knows(key.slot) && runtime.slots.entry(key.slot).side === 'target');
  }
}

/** The application may give a session a form that can be read at any moment. */
function isPlain({ state }: SessionFinding): boolean {
  return state !== 'undecodable';
}

/** What a session is remembered under; no secret. */
export function nameOf({ id, digest }: SessionKey): string {
  return `${id}.${digest.toString('base64')}`;
}
