import { HeavyHitters, type Clock } from '@wherry/core';
import { sessionIdText, type HotSession, type SessionKey } from '@wherry/sessions';
import { slotOf } from '@wherry/shards';
import type { SessionCredential } from '../credential.ts';

/** Options of {@link HotCounter}. */
export interface HotCounterOptions {
  readonly clock: Clock;
  /** Sessions that are counted at a time; default 2000. */
  readonly size?: number;
  /** A session counts as hot by what came in the last one to two of these, milliseconds; default 60000. */
  readonly windowMs?: number;
}

/**
 * Which session credentials come most often, in bounded memory. Nothing that is kept is a secret: the id and the digest of
 * a session, as they lie beside it in the store.
 */
export class HotCounter {
  readonly #clock: Clock;
  readonly #windowMs: number;
  #current: HeavyHitters<string>;
  #previous: HeavyHitters<string>;
  #turnsAt: number;

  constructor({ clock, size = 2000, windowMs = 60_000 }: HotCounterOptions) {
    this.#clock = clock;
    this.#windowMs = windowMs;
    this.#current = new HeavyHitters(size);
    this.#previous = new HeavyHitters(size);
    this.#turnsAt = clock.monotonic() + windowMs;
  }

  /** A request by this credential was let in. */
  use({ kind, key }: Pick<SessionCredential, 'kind' | 'key'>): void {
    if (this.#clock.monotonic() >= this.#turnsAt) this.#turn();
    this.#current.add(`${kind} ${sessionIdText(key.id)} ${key.digest.toString('base64')}`);
  }

  /** The hottest, `most` of them, those first. */
  top(most: number): readonly HotSession[] {
    const counts = new Map<string, number>();
    for (const { key, count, error } of [...this.#current.top(most), ...this.#previous.top(most)])
      counts.set(key, (counts.get(key) ?? 0) + count - error);
    const sorted = [...counts].toSorted(([, a], [, b]) => b - a).slice(0, most);
    return sorted.map(([name, requests]) => ({ ...parse(name), requests }));
  }

  #turn(): void {
    const old = this.#previous;
    old.clear();
    this.#previous = this.#current;
    this.#current = old;
    this.#turnsAt = this.#clock.monotonic() + this.#windowMs;
  }
}

function parse(name: string): { readonly kind: HotSession['kind']; readonly key: SessionKey } {
  const [kind, text = '', digest = ''] = name.split(' ') as [HotSession['kind'], string?, string?];
  const id = BigInt(text);
  return { kind, key: { slot: slotOf(id), id, digest: Buffer.from(digest, 'base64') } };
}
