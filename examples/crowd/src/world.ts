import { digestOf } from './credential.ts';
import type { RequestFacts, SessionFacts } from './facts.ts';
import { judgeRequest, type Verdict } from './judge.ts';
import type { Client } from './client.ts';
import type { Ledger } from './ledger.ts';
import type { Offence, Tally } from './tally.ts';
import type { Wallet } from './wallet.ts';

/** What the operator can change while the crowd is at work. */
export interface Settings {
  readonly cookieName: string;
  /** What clients send: their cookie, or a JWT that they exchange it for. */
  mode: 'cookie' | 'jwt';
  /** Share of the users who follow `jwt`, 0 to 100: always the same users, and with a higher share more of them. */
  percent: number;
  /** Let requests overlap log-outs and rotations: a slow request must not bring an ended session back. */
  overlap: boolean;
  /** Mean time between a user's acts, milliseconds. */
  readonly thinkMs: number;
  /** How long after its end a credential is tried again at the earliest, milliseconds. */
  readonly replayAfterMs: number;
}

/** What all virtual users share. */
export interface World {
  readonly client: Client;
  readonly ledger: Ledger;
  readonly wallet: Wallet;
  readonly tally: Tally;
  readonly settings: Settings;
  readonly exchanges: { done: number; refused: number };
  /** Told of the first offences of each kind. */
  readonly onOffence: (offence: Offence) => void;
}

/** True when a user's client sends a JWT now. */
export function sendsToken(settings: Settings, userId: string): boolean {
  return settings.mode === 'jwt' && Number.parseInt(digestOf(`led ${userId}`).slice(0, 8), 16) % 10_000 < settings.percent * 100;
}

/** Enters a session into record and wallet. */
export function beginSession(world: World, session: Omit<SessionFacts, 'ending'>, cookie: string): void {
  world.ledger.append({ entry: 'session', session: { ...session, ending: undefined } });
  world.ledger.append({ entry: 'credential', session: session.id, kind: 'cookie', credential: digestOf(cookie), at: session.beganAt });
  world.wallet.keep(session.id, cookie);
}

/** Enters a finished request into the record and judges it. */
export function enterRequest(world: World, request: RequestFacts): Verdict {
  world.ledger.append({ entry: 'request', request });
  const session = world.ledger.session(request.session);
  const verdict = judgeRequest(session, request);
  const offence = world.tally.add(verdict, session, request);
  if (offence !== undefined) world.onOffence(offence);
  return verdict;
}
