import { WherryError } from '@wherry/core';
import { Store, type SessionData } from 'express-session';
import type { CarriedSessions } from '../carried/carried-sessions.ts';
import type { CarriedRead } from '../carried/read.ts';
import { sessionTtlMs, type StoreLife } from './ttl.ts';

/** How an application's sessions are told as text. */
export interface SessionText {
  write(session: SessionData): string;
  /** Errors: whatever a text that was not written so causes. */
  read(text: string): SessionData;
}

const JSON_TEXT: SessionText = { write: (session) => JSON.stringify(session), read: (text) => JSON.parse(text) as SessionData };

/** What a wrapped store works with. */
export interface WrappedStoreOptions {
  readonly sessions: CarriedSessions;
  readonly life: StoreLife;
  /** connect-redis' `disableTouch`: requests do not extend a session. */
  readonly disableTouch?: boolean;
  /** Default: JSON. */
  readonly text?: SessionText;
}

/** A request as express-session hands it to its stores. */
type StoreRequest = Parameters<Store['regenerate']>[0];

type Done = (error?: unknown) => void;

/**
 * An express-session store that keeps an application's sessions on both sides while they are carried over, and on the
 * primary side's word. The application sees what its own store would have answered.
 */
export class WrappedStore extends Store {
  readonly #options: WrappedStoreOptions;
  readonly #text: SessionText;

  constructor(options: WrappedStoreOptions) {
    super();
    this.#options = options;
    this.#text = options.text ?? JSON_TEXT;
  }

  override get(sid: string, callback: (error: unknown, session?: SessionData | null) => void): void {
    settle(
      this.#options.sessions.read(sid).then((read) => sessionOf(read, this.#text)),
      callback,
    );
  }

  override set(sid: string, session: SessionData, callback?: Done): void {
    settle(this.#save(sid, session), callback);
  }

  override touch(sid: string, session: SessionData, callback?: Done): void {
    settle(this.#touch(sid, session), callback);
  }

  override destroy(sid: string, callback?: Done): void {
    settle(this.#options.sessions.end(sid, 'logout'), callback);
  }

  /** A new id for the same visitor (against fixation): the old session ends for good, the new one is another. */
  override regenerate(request: StoreRequest, callback: (error?: unknown) => unknown): void {
    settle(this.#replace(request), callback);
  }

  async #replace(request: StoreRequest): Promise<void> {
    // A visitor without a session has an id that nothing was ever saved under: there is nothing to end.
    const before = await this.#options.sessions.read(request.sessionID);
    if (before.state !== 'absent') await this.#options.sessions.end(request.sessionID, 'rotation');
    // express-session gives its stores this method, which its types leave out.
    (this as unknown as { generate(request: StoreRequest): void }).generate(request);
  }

  async #save(sid: string, session: SessionData): Promise<void> {
    const ttlMs = sessionTtlMs(session, this.#options.life);
    if (ttlMs !== null && ttlMs <= 0) {
      await this.#options.sessions.end(sid, 'logout');
      return;
    }
    // `ended`: a log-out has overtaken this request; the session stays ended, and the request has nothing to say about it.
    await this.#options.sessions.save(sid, this.#text.write(session), ttlMs);
  }

  async #touch(sid: string, session: SessionData): Promise<void> {
    if (this.#options.disableTouch === true || this.#options.life.disableTTL === true) return;
    const ttlMs = sessionTtlMs(session, this.#options.life);
    if (ttlMs === null || ttlMs > 0) await this.#options.sessions.touch(sid, ttlMs);
  }
}

function sessionOf(read: CarriedRead, text: SessionText): SessionData | null {
  switch (read.state) {
    case 'live':
      return text.read(read.attributes);
    case 'undecodable':
      return readOrNothing(read.value, text);
    case 'absent':
    case 'ended':
      return null;
  }
}

/** What the migration cannot make sense of may well make sense to the application. */
function readOrNothing(value: string, text: SessionText): SessionData {
  try {
    return text.read(value);
  } catch (cause) {
    throw new WherryError('session_undecodable', 'the stored session is not what its store writes', { cause });
  }
}

/** Hands the outcome to a Node-style callback, outside of the promise, so that what it throws is the caller's. */
function settle<T>(work: Promise<T>, callback: ((error?: unknown, value?: T) => unknown) | undefined): void {
  const told = (error: unknown, value?: T): void => {
    if (callback !== undefined) process.nextTick(callback, error, value);
  };
  work.then(
    (value) => told(null, value),
    (error: unknown) => told(error),
  );
}
