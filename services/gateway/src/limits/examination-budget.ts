import type { Clock } from '@wherry/core';
import { RateLimiter, readRateWindows } from '@wherry/http/rate-limits';
import type { CredentialKind, Refusal } from '../outcome.ts';
import { RecentlyGood } from './recently-good.ts';
import { throttled } from './throttled.ts';

/** Options of {@link ExaminationBudget}. */
export interface ExaminationBudgetOptions {
  /** What one address may cost; default `20000/10s`. */
  readonly perAddress?: string;
  /** What all may cost that are not known, and the same again what those may that are; default `100000/10s`. */
  readonly overall?: string;
  readonly clock: Clock;
}

/** What came of an examination. `neutral`: it was no good, and no work was wasted on it that anybody could cause at will. */
export type Finding = 'good' | 'bad' | 'neutral';

/** A look at a credential costs 1; one that was wasted costs so many. */
const WASTED = 10;
const PER_ADDRESS = '20000/10s';
const OVERALL = '100000/10s';
const POLICY = 'credentials';

type Lane = 'known' | 'strangers';

/** An examination that may go on; to be settled once. */
export interface Examination {
  readonly address: string | undefined;
  readonly lane: Lane;
}

/**
 * Bounds the work that credentials cause which nobody here has seen before: a signature check, a read of a store. Who
 * makes up credentials makes up that work, so each one costs of a budget of its address and of one over all, and one
 * that proves worthless costs tenfold. Over budget nothing is examined: 429, not 401, because nothing is known against
 * the credential. What is remembered costs nothing and is never asked here.
 *
 * A flood from many addresses, or through a proxy that does not tell them, empties the budget over all. So those from
 * whom a good credential has come lately have one of their own, which strangers cannot touch; it is entered by a credential
 * that holds and by nothing else, and what floods push out of other memories stays in this one.
 */
export class ExaminationBudget {
  readonly #addresses: RateLimiter;
  readonly #lanes: RateLimiter;
  readonly #knownAddresses: RecentlyGood;
  readonly #knownSessions: RecentlyGood;
  #refused = 0;

  constructor({ perAddress = PER_ADDRESS, overall = OVERALL, clock }: ExaminationBudgetOptions) {
    this.#addresses = new RateLimiter({ windows: readRateWindows(perAddress), clock });
    this.#lanes = new RateLimiter({ windows: readRateWindows(overall), capacity: 2, clock });
    this.#knownAddresses = new RecentlyGood(clock);
    this.#knownSessions = new RecentlyGood(clock);
  }

  /** Credentials that were not examined. */
  get refused(): number {
    return this.#refused;
  }

  /** Lets a token be examined, or refuses. */
  enterToken(address: string | undefined): Examination | Refusal {
    return this.#enter('jwt', address, 1);
  }

  /** What comes of a token's examination. */
  settleToken(examination: Examination, finding: Finding): void {
    const { address } = examination;
    if (finding === 'good') {
      this.#knownAddresses.add(address);
      // Many may share it, behind a proxy that nobody has named: as long as all they send is good it is no flood.
      if (address !== undefined) this.#addresses.refund(address, 1);
    }
    if (finding === 'bad') this.#charge(examination, WASTED - 1);
  }

  /**
   * Lets a session be read, or refuses. The reading takes a while, in which many more may come: so what it costs at worst
   * is taken at once. `name` names the session and holds no secret; one that was found lately is not asked for a budget,
   * since it is read again and again where it may not be remembered.
   */
  enterSession(kind: CredentialKind, name: string, address: string | undefined): Examination | Refusal | undefined {
    return this.#knownSessions.has(name) ? undefined : this.#enter(kind, address, WASTED);
  }

  /** What comes of the reading. */
  settleSession(examination: Examination, name: string, finding: Finding): void {
    const { address, lane } = examination;
    if (finding === 'bad') return;
    if (address !== undefined) this.#addresses.refund(address, WASTED);
    this.#lanes.refund(lane, WASTED);
    if (finding === 'neutral') return;
    this.#knownAddresses.add(address);
    this.#knownSessions.add(name);
  }

  #enter(kind: CredentialKind, address: string | undefined, cost: number): Examination | Refusal {
    const lane: Lane = address !== undefined && this.#knownAddresses.has(address) ? 'known' : 'strangers';
    // Its own budget first: who is over it takes nothing from the others.
    const ownMs = address === undefined ? 0 : this.#addresses.take(address, cost);
    if (ownMs > 0) return this.#refuse(kind, this.#addresses, address ?? '', ownMs);
    const laneMs = this.#lanes.take(lane, cost);
    if (laneMs === 0) return { address, lane };
    if (address !== undefined) this.#addresses.refund(address, cost);
    return this.#refuse(kind, this.#lanes, lane, laneMs);
  }

  #charge({ address, lane }: Examination, cost: number): void {
    if (address !== undefined) this.#addresses.charge(address, cost);
    this.#lanes.charge(lane, cost);
  }

  #refuse(kind: CredentialKind, limiter: RateLimiter, key: string, waitMs: number): Refusal {
    this.#refused++;
    return throttled({ kind, policy: POLICY, states: limiter.state(key), waitMs });
  }
}

/** Whether an answer of the budget is a refusal. */
export function isRefusal(answer: Examination | Refusal): answer is Refusal {
  return 'ok' in answer;
}
