import type { CredentialKind } from './facts.ts';
import type { Random } from './random.ts';

/** An access token with the earliest moment at which it may expire, epoch milliseconds. */
export interface HeldToken {
  readonly value: string;
  readonly expiresAt: number;
}

/** A renewal credential. */
export interface HeldRenewal {
  readonly value: string;
  /** The one that it came for. */
  readonly before: string | undefined;
  /** One whose successor has been used: nobody may take it any more. */
  readonly superseded: string | undefined;
}

/** A credential whose session has ended. */
export interface EndedCredential {
  readonly session: string;
  readonly kind: CredentialKind;
  readonly value: string;
  /** When the end was acknowledged. */
  readonly endedAt: number;
}

interface Held {
  readonly cookie: string | undefined;
  token: HeldToken | undefined;
  renewal: HeldRenewal | undefined;
}

/** The credentials themselves, in memory only: those of live sessions, and an even sample of those whose session has ended. */
export class Wallet {
  readonly #live = new Map<string, Held>();
  readonly #ended: EndedCredential[] = [];
  readonly #random: Random;
  readonly #sampleSize: number;
  #endedCount = 0;

  constructor(random: Random, sampleSize = 5000) {
    this.#random = random;
    this.#sampleSize = sampleSize;
  }

  /** `cookie` undefined: the session was begun without one. */
  keep(session: string, cookie: string | undefined): void {
    this.#live.set(session, { cookie, token: undefined, renewal: undefined });
  }

  keepToken(session: string, token: HeldToken | undefined): void {
    const held = this.#live.get(session);
    if (held !== undefined) held.token = token;
  }

  /** Keeps a renewal credential; the first of its family, unless `presented` was given for it. */
  keepRenewal(session: string, value: string | undefined, presented?: string): void {
    const held = this.#live.get(session);
    if (held === undefined) return;
    const before = held.renewal?.value === presented ? held.renewal?.before : undefined;
    held.renewal = value === undefined ? undefined : { value, before: presented, superseded: before };
  }

  /** True while the session's credentials are held. */
  holds(session: string): boolean {
    return this.#live.has(session);
  }

  cookie(session: string): string | undefined {
    return this.#live.get(session)?.cookie;
  }

  token(session: string): HeldToken | undefined {
    return this.#live.get(session)?.token;
  }

  renewal(session: string): HeldRenewal | undefined {
    return this.#live.get(session)?.renewal;
  }

  /** Lets go of a session's credentials without knowing whether it has ended. */
  forget(session: string): void {
    this.#live.delete(session);
  }

  /** Moves a session's credentials to the ended ones and answers them. */
  end(session: string, endedAt: number): readonly EndedCredential[] {
    const held = this.#live.get(session);
    if (held === undefined) return [];
    this.#live.delete(session);
    const all = [['cookie', held.cookie] as const, ['jwt', held.token?.value] as const, ['renewal', held.renewal?.value] as const];
    const credentials = all.flatMap(([kind, value]) => (value === undefined ? [] : [{ session, kind, value, endedAt }]));
    for (const credential of credentials) this.#sample(credential);
    return credentials;
  }

  /** How many credentials have ended, sampled or not. */
  get endedCount(): number {
    return this.#endedCount;
  }

  endedSample(): readonly EndedCredential[] {
    return this.#ended;
  }

  /** Reservoir sampling: each ended credential is in the sample with the same probability. */
  #sample(credential: EndedCredential): void {
    this.#endedCount++;
    if (this.#ended.length < this.#sampleSize) this.#ended.push(credential);
    else {
      const place = this.#random.below(this.#endedCount);
      if (place < this.#sampleSize) this.#ended[place] = credential;
    }
  }
}
