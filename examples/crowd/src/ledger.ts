import { createWriteStream, type WriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import type { CredentialKind, Ending, RequestFacts, SessionFacts } from './facts.ts';

/** A line of the record. No line holds a credential: sessions and credentials appear as digests. */
export type LedgerEntry =
  | { readonly entry: 'session'; readonly session: SessionFacts }
  | {
      readonly entry: 'credential';
      readonly session: string;
      readonly kind: CredentialKind;
      readonly credential: string;
      readonly at: number;
    }
  | { readonly entry: 'expiry'; readonly session: string; readonly expectedExpiry: number }
  | { readonly entry: 'ending'; readonly session: string; readonly ending: Ending | undefined }
  | { readonly entry: 'request'; readonly request: RequestFacts }
  | { readonly entry: 'presence'; readonly session: string; readonly present: boolean };

/** The next state of one session; entries that do not change sessions leave it as it is. */
export function applyEntry(sessions: Map<string, SessionFacts>, entry: LedgerEntry): void {
  if (entry.entry === 'session') {
    sessions.set(entry.session.id, entry.session);
    return;
  }
  if (entry.entry !== 'expiry' && entry.entry !== 'ending') return;
  const known = sessions.get(entry.session);
  if (known === undefined) throw new Error('the record has no such session');
  const change = entry.entry === 'expiry' ? { expectedExpiry: entry.expectedExpiry } : { ending: entry.ending };
  sessions.set(known.id, { ...known, ...change });
}

/** Epoch milliseconds that never go back, so that the order of two entries is the order of what they tell of. */
export function now(): number {
  return performance.timeOrigin + performance.now();
}

/**
 * The users' own record of what happened to them: append-only, in a file and, what is needed to judge, in memory.
 * It shares no code with what it judges. Requests live in the file only, so that memory grows with sessions alone.
 */
export class Ledger {
  readonly #sessions = new Map<string, SessionFacts>();
  readonly #file: WriteStream | undefined;

  /** `path`: file to append to, one JSON entry per line; undefined: memory only. */
  constructor(path?: string) {
    this.#file = path === undefined ? undefined : createWriteStream(path, { flags: 'a', mode: 0o600 });
  }

  append(entry: LedgerEntry): void {
    applyEntry(this.#sessions, entry);
    this.#file?.write(`${JSON.stringify(entry)}\n`);
  }

  /** The session as it is known now. */
  session(id: string): SessionFacts {
    const session = this.#sessions.get(id);
    if (session === undefined) throw new Error('the record has no such session');
    return session;
  }

  /** All sessions, ended ones too. */
  sessions(): IterableIterator<SessionFacts> {
    return this.#sessions.values();
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** Moves a session's expected expiry; never back, since a later look can know less. */
  extend(id: string, expectedExpiry: number): void {
    if (expectedExpiry > this.session(id).expectedExpiry) this.append({ entry: 'expiry', session: id, expectedExpiry });
  }

  /** Resolves when everything has been written to the file. */
  async close(): Promise<void> {
    if (this.#file === undefined) return;
    this.#file.end();
    await finished(this.#file);
  }
}
