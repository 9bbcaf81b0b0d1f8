import type { RequestFacts, SessionFacts } from './facts.ts';
import type { Fault, Verdict } from './judge.ts';

/** One thing that was wrong, for people: sessions by the start of their digest. */
export interface Offence {
  readonly fault: Fault;
  readonly session: string;
  readonly username: string;
  readonly at: number;
  readonly act: string;
  readonly kind: string;
  readonly status: number;
  readonly detail: string;
}

const OFFENCES_KEPT = 5;
const FAULTS: readonly Fault[] = [
  'lost',
  'resurrected',
  'signed-out',
  'authorities-changed',
  'other-user',
  'unavailable',
  'failed',
  'forged',
  'stale-renewal',
  'stateful',
];

/** Counts verdicts. A fault is counted once per session, however often it shows. */
export class Tally {
  readonly #sessions = new Map<Fault, Set<string>>(FAULTS.map((fault) => [fault, new Set()]));
  readonly #offences = new Map<Fault, Offence[]>(FAULTS.map((fault) => [fault, []]));
  #requests = 0;
  #unjudged = 0;
  #refused = 0;
  #recovered = 0;

  /** Adds a judged request; answers the offence when it is one of the first of its kind. */
  add(verdict: Verdict, session: SessionFacts, request: RequestFacts): Offence | undefined {
    this.#requests++;
    if (request.exchanged === 'expired' && verdict === 'good') this.#recovered++;
    if (verdict === 'good') return undefined;
    if (verdict === 'unjudged') this.#unjudged++;
    else if (verdict === 'refused') this.#refused++;
    else {
      const { act, kind, status, endedAt: at } = request;
      const detail = explain(verdict, session, request);
      return this.#offend({ fault: verdict, ...named(session), at, act, kind, status, detail }, session.id);
    }
    return undefined;
  }

  /** Adds a session that the target does not hold. */
  addLost(session: SessionFacts, at: number): Offence | undefined {
    const detail = `live since ${new Date(session.beganAt).toISOString()} by ${session.origin}, absent from the target`;
    return this.#offend({ fault: 'lost', ...named(session), at, act: 'presence', kind: '', status: 0, detail }, session.id);
  }

  #offend(offence: Offence, session: string): Offence | undefined {
    const seen = this.#sessions.get(offence.fault);
    if (seen === undefined || seen.has(session)) return undefined;
    seen.add(session);
    const kept = this.#offences.get(offence.fault);
    if (kept === undefined || kept.length >= OFFENCES_KEPT) return undefined;
    kept.push(offence);
    return offence;
  }

  /** How many sessions showed this fault. */
  count(fault: Fault): number {
    return this.#sessions.get(fault)?.size ?? 0;
  }

  /** The first offences of each kind. */
  offences(): readonly Offence[] {
    return [...this.#offences.values()].flat();
  }

  get totals(): { readonly requests: number; readonly unjudged: number; readonly refused: number; readonly recovered: number } {
    return { requests: this.#requests, unjudged: this.#unjudged, refused: this.#refused, recovered: this.#recovered };
  }
}

function explain(fault: Fault, session: SessionFacts, request: RequestFacts): string {
  switch (fault) {
    case 'resurrected':
      return `${session.ending?.by ?? 'end'} acknowledged ${Math.round(request.startedAt - (session.ending?.acknowledgedAt ?? 0))} ms before the request was sent`;
    case 'signed-out':
      return request.exchanged === undefined ? `${request.status} on a live session` : 'an unexpired token was refused';
    case 'authorities-changed':
      return `expected ${session.authorities.toSorted().join(' ')}; got ${(request.authorities ?? []).toSorted().join(' ')}`;
    case 'other-user':
      return `expected user ${session.userId}; got ${request.userId ?? 'none'}`;
    case 'unavailable':
      return `${request.attempts} attempts`;
    case 'failed':
      return `status ${request.status}`;
    case 'forged':
    case 'stale-renewal':
    case 'stateful':
      return `${request.unfit ?? ''} and accepted`;
    case 'lost':
      break;
  }
  return 'absent from the target';
}

function named(session: SessionFacts): Pick<Offence, 'session' | 'username'> {
  return { session: session.id.slice(0, 12), username: session.username };
}
