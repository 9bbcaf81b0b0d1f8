import type { Answer } from './client.ts';
import { digestOf, findSetCookie, sessionDigest, type SetCookie } from './credential.ts';
import { replay, speak, type Line, type Spoken } from './conversation.ts';
import type { Ending, RequestFacts, SessionFacts } from './facts.ts';
import { keepTokens } from './exchange.ts';
import { isObject, statedIdentity } from './identity.ts';
import { isUnavailable } from './judge.ts';
import { now } from './ledger.ts';
import type { Random } from './random.ts';
import type { EndedCredential } from './wallet.ts';
import { beginSession, enterRequest, type World } from './world.ts';

const ENDED_REMEMBERED = 8;
const NOBODY = { userId: '', authorities: [], origin: 'log-in', ttlMs: 0, expectedExpiry: 0, ending: undefined } as const;

const WHOAMI: Line = { act: 'whoami', credential: 'best', request: () => ({ to: 'gateway', method: 'GET', path: '/whoami' }) };
const ME: Line = { act: 'me', credential: 'both', request: () => ({ to: 'gateway', method: 'GET', path: '/me' }) };
const ROTATE: Line = {
  act: 'rotate',
  credential: 'cookie',
  ends: true,
  request: () => ({ to: 'gateway', method: 'POST', path: '/rotate', body: {} }),
};
const LOG_OUT: Line = {
  act: 'log-out',
  credential: 'best',
  ends: true,
  request: (kind) =>
    kind === 'jwt' ? { to: 'auth', method: 'POST', path: '/v1/logout' } : { to: 'gateway', method: 'POST', path: '/logout', body: {} },
};

interface User {
  readonly userId: string;
  readonly authorities: readonly string[];
}

/** What an application without sessions answers to a log-in. */
interface LoginTokens {
  readonly sessionId: string;
  readonly sessionSeconds: number;
  /** Under the names of a token endpoint. */
  readonly said: Readonly<Record<string, unknown>>;
}

/** A user with one client: one act at a time, each chosen by weight. */
export class VirtualUser {
  readonly #world: World;
  readonly #random: Random;
  readonly #name: string;
  readonly #ended: EndedCredential[] = [];
  #session: string | undefined;

  /** `session`: one that the user is signed in to already. */
  constructor(world: World, random: Random, name: string, session?: string) {
    this.#world = world;
    this.#random = random;
    this.#name = name;
    this.#session = session;
  }

  /** Does one thing and waits for its end. */
  async act(): Promise<void> {
    const session = this.#session;
    if (session === undefined) return this.#logIn();
    const act = this.#random.weighted([
      ['whoami', 52],
      ['me', 22],
      ['cart', 12],
      ['replay', 5],
      ['log-out', 5],
      // Nothing to rotate where the application has no sessions.
      ['rotate', this.#world.settings.stateless ? 0 : 4],
    ] as const);
    switch (act) {
      case 'whoami':
        return this.#look(session, WHOAMI);
      case 'me':
        return this.#look(session, ME);
      case 'cart':
        return this.#look(session, this.#cart('both'));
      case 'replay':
        return this.#replay();
      case 'log-out':
        return this.#logOut(session);
      case 'rotate':
        return this.#rotate(session);
    }
  }

  #cart(credential: Line['credential']): Line {
    const body = { item: `item ${this.#random.below(1000)}` };
    return { act: 'cart', credential, request: () => ({ to: 'gateway', method: 'POST', path: '/cart', body }) };
  }

  async #look(session: string, line: Line): Promise<void> {
    const spoken = await speak(this.#world, session, line);
    // Whoever is turned away logs in again; the session stays in the record as live and is probed at the end.
    if (spoken === undefined || spoken.answer.status === 401) this.#session = undefined;
  }

  async #replay(): Promise<void> {
    const due = this.#ended.filter((credential) => credential.endedAt + this.#world.settings.replayAfterMs <= now());
    const chosen = due[this.#random.below(due.length)];
    if (chosen !== undefined) await replay(this.#world, chosen);
  }

  async #logIn(): Promise<void> {
    const { client, settings, tally, onOffence, ledger } = this.#world;
    const answer = await client.send({
      to: 'gateway',
      method: 'POST',
      path: '/login',
      body: { name: this.#name, password: `pw-${this.#name}` },
    });
    const cookie = findSetCookie(answer.headers['set-cookie'], settings.cookieName);
    const tokens = tokensIn(answer);
    const { userId, authorities } = statedIdentity(answer.body);
    const request = {
      act: 'log-in',
      kind: 'cookie',
      credential: '',
      startedAt: answer.startedAt,
      endedAt: answer.endedAt,
      status: answer.status,
      attempts: answer.attempts,
    } as const;
    const expiresAt = tokens === undefined ? cookie?.expiresAt : answer.startedAt + tokens.sessionSeconds * 1000;
    if (answer.status !== 200 || expiresAt === undefined || userId === undefined || authorities === undefined) {
      // Nobody is signed in, so there is no session to judge: the failure stands by itself.
      const nobody: SessionFacts = { ...NOBODY, id: `log-in of ${this.#name}`, username: this.#name, beganAt: answer.startedAt };
      const facts: RequestFacts = { ...request, session: nobody.id, expectedExpiry: 0 };
      ledger.append({ entry: 'request', request: facts });
      const offence = tally.add(isUnavailable(answer.status) ? 'unavailable' : 'failed', nobody, facts);
      if (offence !== undefined) onOffence(offence);
      return;
    }
    const at = answer.endedAt;
    const user = { userId, authorities };
    const id = tokens === undefined ? this.#begin('log-in', cookie, at, user) : this.#beginByTokens(tokens.sessionId, expiresAt, at, user);
    if (tokens !== undefined) keepTokens(this.#world, id, tokens.said, answer);
    enterRequest(this.#world, { ...request, session: id, expectedExpiry: expiresAt, ...user });
  }

  async #logOut(session: string): Promise<void> {
    const { spoken, ending } = await this.#end(session, 'log-out', LOG_OUT);
    if (spoken === undefined) return this.#turnedAway(session);
    const { status, attempts, endedAt } = spoken.answer;
    // A repeat that is told 401 has met the end that its lost predecessor brought about. No answer at all, 0, acknowledges nothing.
    if ((status >= 200 && status < 300) || (status === 401 && attempts > 1)) this.#markEnded(session, ending, endedAt);
    else if (status === 401) this.#turnedAway(session);
    else this.#undecided(session);
  }

  async #rotate(session: string): Promise<void> {
    const { spoken, ending } = await this.#end(session, 'rotation', ROTATE);
    if (spoken === undefined) return this.#turnedAway(session);
    const { status, attempts, endedAt } = spoken.answer;
    if (status === 401 && attempts === 1) return this.#turnedAway(session);
    if (status !== 200) return this.#undecided(session);
    const { userId, authorities } = this.#world.ledger.session(session);
    this.#markEnded(session, ending, endedAt);
    if (spoken.cookie?.expiresAt !== undefined) this.#begin('rotation', spoken.cookie, endedAt, { userId, authorities });
  }

  async #end(session: string, by: Ending['by'], line: Line): Promise<{ spoken: Spoken | undefined; ending: Ending }> {
    const ending: Ending = { by, startedAt: now(), acknowledgedAt: undefined };
    this.#world.ledger.append({ entry: 'ending', session, ending });
    const overlaps = this.#world.settings.overlap && this.#random.next() < 0.5;
    const [spoken] = await Promise.all([
      speak(this.#world, session, line),
      overlaps ? speak(this.#world, session, this.#cart('cookie')) : undefined,
    ]);
    return { spoken, ending };
  }

  #beginByTokens(sessionId: string, expectedExpiry: number, at: number, user: User): string {
    const id = digestOf(`session ${sessionId}`);
    const session = {
      id,
      ...user,
      username: this.#name,
      origin: 'hand-over',
      beganAt: at,
      ttlMs: expectedExpiry - at,
      expectedExpiry,
    } as const;
    beginSession(this.#world, session, undefined);
    this.#session = id;
    return id;
  }

  #begin(origin: 'log-in' | 'rotation', cookie: SetCookie | undefined, at: number, user: User): string {
    if (cookie === undefined) throw new Error('a session is begun by a cookie');
    const id = sessionDigest(cookie.value);
    const expectedExpiry = cookie.expiresAt ?? at;
    const session = { id, ...user, username: this.#name, origin, beganAt: at, ttlMs: expectedExpiry - at, expectedExpiry };
    beginSession(this.#world, session, cookie.value);
    this.#session = id;
    return id;
  }

  #markEnded(session: string, ending: Ending, acknowledgedAt: number): void {
    this.#world.ledger.append({ entry: 'ending', session, ending: { ...ending, acknowledgedAt } });
    const ended = this.#world.wallet.end(session, acknowledgedAt);
    // Ended renewal credentials are tried at the end: here they would look like renewals that fail.
    this.#ended.push(...ended.filter(({ kind }) => kind !== 'renewal'));
    this.#ended.splice(0, this.#ended.length - ENDED_REMEMBERED);
    this.#session = undefined;
  }

  /** The server did not know the session, or the request was never sent: nothing was ended, and it counts as live. */
  #turnedAway(session: string): void {
    this.#world.ledger.append({ entry: 'ending', session, ending: undefined });
    this.#session = undefined;
  }

  /** No word whether the session has ended: it is judged no more. */
  #undecided(session: string): void {
    this.#world.wallet.forget(session);
    this.#session = undefined;
  }
}

/** The tokens of a log-in; undefined: the answer has none. */
function tokensIn({ status, body }: Answer): LoginTokens | undefined {
  if (status !== 200 || !isObject(body)) return undefined;
  const { sessionId, accessToken, expiresIn, renewalCredential, renewalExpiresIn } = body;
  if (typeof sessionId !== 'string' || typeof accessToken !== 'string' || typeof expiresIn !== 'number') return undefined;
  const said = { access_token: accessToken, expires_in: expiresIn, refresh_token: renewalCredential };
  return { sessionId, sessionSeconds: typeof renewalExpiresIn === 'number' ? renewalExpiresIn : expiresIn, said };
}
