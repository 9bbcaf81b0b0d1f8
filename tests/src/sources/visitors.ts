import { pause } from '@wherry/core';
import type { Owner } from './software.ts';

/** A browser that holds a cookie. */
export interface Visitor extends Owner {
  readonly rawId: string;
  readonly cookie: string;
  /** `ending`: while its log-out is under way both answers are right. */
  state: 'live' | 'ending' | 'ended';
}

/** What the gateway's answers amount to. */
export interface Verdict {
  readonly answered: number;
  readonly signedOut: number;
  readonly resurrected: number;
  readonly otherUser: number;
  readonly otherAuthorities: number;
}

type Fault = keyof Omit<Verdict, 'answered'>;

/** Browsers that ask a gateway for leave, one after the other, and a ledger of what it answers. Shares no code with what it judges. */
export class Visitors {
  readonly all: Visitor[] = [];
  readonly #url: string;
  readonly #counts: Record<keyof Verdict, number> = { answered: 0, signedOut: 0, resurrected: 0, otherUser: 0, otherAuthorities: 0 };
  #stopping = false;
  #walk: Promise<void> | undefined;

  /** `url`: of the gateway. */
  constructor(url: string) {
    this.#url = url;
  }

  get verdict(): Verdict {
    return { ...this.#counts };
  }

  /** Begins to ask, until `stop`. */
  start(): void {
    this.#walk = this.#walkOn();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#walk;
  }

  /** Every visitor gets an answer now. */
  async ask(): Promise<void> {
    for (const visitor of this.all) while (!(await this.#visit(visitor))) await pause(20);
  }

  /** Whether the gateway lets a visitor in; undefined: it does not say. Counts nothing. */
  async isSignedIn({ cookie }: Visitor): Promise<boolean | undefined> {
    const { status } = await this.#ask(cookie);
    return status === 200 ? true : status === 401 ? false : undefined;
  }

  async #ask(cookie: string): Promise<Response> {
    const response = await fetch(`${this.#url}/auth`, { headers: { cookie } });
    await response.arrayBuffer();
    return response;
  }

  async #walkOn(): Promise<void> {
    for (let n = 0; !this.#stopping; n++) {
      const visitor = this.all[n % Math.max(1, this.all.length)];
      if (visitor !== undefined) await this.#visit(visitor);
      await pause(10);
    }
  }

  /** False: it was told to come again. */
  async #visit(visitor: Visitor): Promise<boolean> {
    const before = visitor.state;
    const response = await this.#ask(visitor.cookie);
    const fault = this.#judge(visitor, before, response);
    if (fault === 'no answer') return false;
    this.#counts.answered++;
    if (fault !== undefined) this.#counts[fault]++;
    return true;
  }

  #judge(
    { userId, authorities, state }: Visitor,
    before: Visitor['state'],
    { status, headers }: Response,
  ): Fault | 'no answer' | undefined {
    if (status !== 200 && status !== 401) return 'no answer';
    const isSignedIn = status === 200;
    if (before === 'ended' || userId === null) return isSignedIn ? 'resurrected' : undefined;
    if (!isSignedIn) return state === 'live' ? 'signedOut' : undefined;
    const list = (headers.get('x-wherry-authorities') ?? '').split(',').filter((one) => one !== '');
    if (decodeURIComponent(headers.get('x-wherry-user-id') ?? '') !== userId) return 'otherUser';
    const found = list.map((one) => decodeURIComponent(one)).toSorted();
    return JSON.stringify(found) === JSON.stringify(authorities.toSorted()) ? undefined : 'otherAuthorities';
  }
}
