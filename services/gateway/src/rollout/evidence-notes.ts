import type { TokenFamilies } from '@wherry/renewal';
import { LRUCache } from 'lru-cache';

/** Options of {@link EvidenceNotes}. Milliseconds. */
export interface EvidenceNotesOptions {
  readonly families: Pick<TokenFamilies, 'noteProof' | 'noteSessionTokenUse'>;
  /** How often the same use is written; default 30000: days of silence are looked for. */
  readonly everyMs?: number;
  /** Most clients of sessions whose last note is remembered; default 100000. */
  readonly size?: number;
}

interface Note {
  readonly sessionId: bigint;
  readonly clientId: string;
  readonly proof: boolean;
  /** Epoch ms. */
  readonly at: number;
}

const AT_ONCE = 16;
const MOST_WAITING = 10_000;
/** A proof counts once and for all; it is written again because its family may be a new one. */
const PROOF_EVERY_MS = 600_000;

/**
 * Tells the shards what clients have shown: that they hold an access token, and that they still use a session token. Written
 * behind, seldom, and in bounded number: what is dropped or fails comes again with a later request.
 */
export class EvidenceNotes {
  readonly #options: EvidenceNotesOptions;
  readonly #everyMs: number;
  /** When each is due again, epoch ms. */
  readonly #due: LRUCache<string, number>;
  readonly #queue: Note[] = [];
  readonly #busy = new Set<Promise<void>>();

  constructor(options: EvidenceNotesOptions) {
    this.#options = options;
    this.#everyMs = options.everyMs ?? 30_000;
    this.#due = new LRUCache({ max: options.size ?? 100_000 });
  }

  /** The client presented an access token of the session. Never throws, never waits. */
  proof(sessionId: bigint, clientId: string, now: number): void {
    this.#note({ sessionId, clientId, proof: true, at: now }, PROOF_EVERY_MS);
  }

  /** The client presented the session's own token or cookie. Never throws, never waits. */
  sessionUse(sessionId: bigint, clientId: string, now: number): void {
    this.#note({ sessionId, clientId, proof: false, at: now }, this.#everyMs);
  }

  /** Resolves when nothing waits and nothing is under way. */
  async drained(): Promise<void> {
    while (this.#queue.length + this.#busy.size > 0) await Promise.all(this.#busy);
  }

  #note(note: Note, everyMs: number): void {
    const name = `${note.proof ? 'p' : 's'}${note.sessionId} ${note.clientId}`;
    // Also after a clock that went back.
    const due = this.#due.get(name) ?? 0;
    if ((note.at < due && note.at >= due - everyMs) || this.#queue.length >= MOST_WAITING) return;
    this.#due.set(name, note.at + everyMs);
    this.#queue.push(note);
    this.#work();
  }

  #work(): void {
    while (this.#busy.size < AT_ONCE) {
      const note = this.#queue.shift();
      if (note === undefined) return;
      const work = this.#write(note).catch(() => undefined);
      this.#busy.add(work);
      void work.finally(() => {
        this.#busy.delete(work);
        this.#work();
      });
    }
  }

  async #write({ sessionId, clientId, proof, at }: Note): Promise<void> {
    const { families } = this.#options;
    await (proof ? families.noteProof(sessionId, clientId, at) : families.noteSessionTokenUse(sessionId, clientId, at));
  }
}
