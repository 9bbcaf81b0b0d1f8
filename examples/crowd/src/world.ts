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
  /** What clients send: their cookie; a JWT that they exchange it for; or a JWT that they renew by a credential of its own. */
  mode: 'cookie' | 'jwt' | 'renewing';
  /** Share of the users whose clients follow the mode, 0 to 100: always the same users, and with a higher share more of them. */
  percent: number;
  /** Only clients that a server has told to go over (header Deprecation, RFC 9745) follow the mode. */
  toldOnly: boolean;
  /** Share of the clients told to go over that are of the broken release, 0 to 100: they mutilate their tokens. */
  brokenPercent: number;
  /** Share of the renewals whose answer the client drops, 0 to 1: it repeats the old credential. */
  dropped: number;
  /** The application has no sessions any more: a log-in answers tokens. */
  stateless: boolean;
  /** The server has said that it takes no cookies any more. */
  retired: boolean;
  /** Let requests overlap log-outs and rotations: a slow request must not bring an ended session back. */
  overlap: boolean;
  /** Mean time between a user's acts, milliseconds. */
  readonly thinkMs: number;
  /** How long after its end a credential is tried again at the earliest, milliseconds. */
  readonly replayAfterMs: number;
}

/** Settings of a crowd that has been told nothing yet. */
export function firstSettings(fixed: Pick<Settings, 'cookieName' | 'thinkMs' | 'replayAfterMs'>): Settings {
  const still = { toldOnly: false, brokenPercent: 0, dropped: 0, stateless: false, retired: false, overlap: false };
  return { ...fixed, ...still, mode: 'cookie', percent: 100 };
}

/** What came of exchanges and renewals. */
export interface Renewals {
  /** Exchanges that gave a token, and those that the server gives none for now. */
  exchanged: number;
  exchangesRefused: number;
  /** Renewals at the token endpoint, and those by the gateway on the way of a request. */
  renewed: number;
  silent: number;
  /** Renewals refused, and those of them that one exchange made good. */
  refused: number;
  recovered: number;
  /** Answers dropped on purpose, after which the old credential was sent again. */
  dropped: number;
}

/** What all virtual users share. */
export interface World {
  readonly client: Client;
  readonly ledger: Ledger;
  readonly wallet: Wallet;
  readonly tally: Tally;
  readonly settings: Settings;
  readonly renewals: Renewals;
  /** Users whose client was told to go over to tokens. */
  readonly told: Set<string>;
  /** Told of the first offences of each kind. */
  readonly onOffence: (offence: Offence) => void;
}

/** Counts of a crowd that has done nothing yet. */
export function noRenewals(): Renewals {
  return { exchanged: 0, exchangesRefused: 0, renewed: 0, silent: 0, refused: 0, recovered: 0, dropped: 0 };
}

/** True when a user's client sends a JWT now. */
export function sendsToken({ settings, told }: World, userId: string): boolean {
  if (settings.stateless) return true;
  return settings.mode !== 'cookie' && (!settings.toldOnly || told.has(userId)) && isAmong('led', userId, settings.percent);
}

/** True when a user's client is of the release that mutilates tokens. */
export function isBroken({ settings, told }: World, userId: string): boolean {
  return settings.brokenPercent > 0 && told.has(userId) && isAmong('broken', userId, settings.brokenPercent);
}

/** True for half of the users: their clients let the gateway renew on the way, the others ask the token endpoint. */
export function renewsSilently(userId: string): boolean {
  return isAmong('silent', userId, 50);
}

/** Enters a session into record and wallet. */
export function beginSession(world: World, session: Omit<SessionFacts, 'ending'>, cookie: string | undefined): void {
  world.ledger.append({ entry: 'session', session: { ...session, ending: undefined } });
  if (cookie !== undefined)
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

/** A share of the users that does not depend on any other one. */
function isAmong(share: string, userId: string, percent: number): boolean {
  return Number.parseInt(digestOf(`${share} ${userId}`).slice(0, 8), 16) % 10_000 < percent * 100;
}
