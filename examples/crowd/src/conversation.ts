import { cookieHeader, digestOf, findSetCookie, type SetCookie } from './credential.ts';
import type { Answer, Sent } from './client.ts';
import { exchange } from './exchange.ts';
import type { Act, RequestFacts } from './facts.ts';
import { statedIdentity } from './identity.ts';
import { isCarried, type Verdict } from './judge.ts';
import type { EndedCredential } from './wallet.ts';
import { enterRequest, sendsToken, type World } from './world.ts';

/** How an act becomes a request. */
export interface Line {
  readonly act: Act;
  /** The request for a client that sends this kind of credential. */
  readonly request: (kind: 'cookie' | 'jwt') => Omit<Sent, 'headers'>;
  /** `cookie`: always the cookie; `best`: a JWT where the client uses them; `both`: then the cookie as well, as browsers do. */
  readonly credential: 'cookie' | 'best' | 'both';
  readonly ends?: boolean;
}

/** What came of an act. */
export interface Spoken {
  readonly answer: Answer;
  readonly verdict: Verdict;
  /** True when the answer named the user rightly. */
  readonly carried: boolean;
  /** The session cookie that the answer set. */
  readonly cookie: SetCookie | undefined;
}

/** An active JWT user's session is touched at least every quarter of its idle time, so this much of it is always left. */
const IDLE_LEFT_BY_TOKEN = 0.75;

/**
 * Sends one request for a session, with one exchange when its JWT is refused, and enters it into the record. Undefined:
 * there was no credential to send, or the exchange failed, which is in the record by itself.
 */
export async function speak(world: World, session: string, line: Line): Promise<Spoken | undefined> {
  const { userId, expectedExpiry } = world.ledger.session(session);
  const cookie = world.wallet.cookie(session);
  if (cookie === undefined) return undefined;
  const wantsToken = line.credential !== 'cookie' && sendsToken(world.settings, userId);
  if (wantsToken && world.wallet.token(session) === undefined && (await exchange(world, session, line.ends)) === 'failed') return undefined;

  const say = async (): Promise<{ kind: 'cookie' | 'jwt'; value: string; answer: Answer }> => {
    const token = wantsToken ? world.wallet.token(session) : undefined;
    const kind = token === undefined ? 'cookie' : 'jwt';
    const headers = {
      ...(token === undefined ? {} : { authorization: `Bearer ${token.value}` }),
      ...(token === undefined || line.credential === 'both' ? { cookie: cookieHeader(world.settings.cookieName, cookie) } : {}),
    };
    return { kind, value: token?.value ?? cookie, answer: await world.client.send({ ...line.request(kind), headers }) };
  };

  let said = await say();
  let exchanged: RequestFacts['exchanged'];
  const token = world.wallet.token(session);
  if (said.kind === 'jwt' && said.answer.status === 401 && token !== undefined) {
    exchanged = token.expiresAt <= said.answer.endedAt ? 'expired' : 'unexpired';
    const outcome = await exchange(world, session, line.ends);
    if (outcome === 'refused') world.wallet.keepToken(session, undefined);
    if (outcome !== 'failed') said = await say();
    // The expired token's own 401 says nothing; why there was no new one has been recorded.
    else if (exchanged === 'expired') return undefined;
  }
  const { kind, value, answer } = said;
  const request: RequestFacts = {
    ...facts(session, line.act, kind, value, answer),
    expectedExpiry,
    ...(line.ends === undefined ? {} : { ends: line.ends }),
    ...(exchanged === undefined ? {} : { exchanged }),
  };
  const verdict = enterRequest(world, request);
  const set = findSetCookie(answer.headers['set-cookie'], world.settings.cookieName);
  if (verdict === 'good') extend(world, session, request, set?.value === cookie ? set : undefined);
  return { answer, verdict, carried: isCarried(verdict, request), cookie: set };
}

/** Tries a credential whose session has ended. */
export async function replay(world: World, ended: EndedCredential): Promise<Verdict> {
  const headers: Record<string, string> =
    ended.kind === 'jwt' ? { authorization: `Bearer ${ended.value}` } : { cookie: cookieHeader(world.settings.cookieName, ended.value) };
  const answer = await world.client.send({ to: 'gateway', method: 'GET', path: '/whoami', headers });
  const { expectedExpiry } = world.ledger.session(ended.session);
  return enterRequest(world, { ...facts(ended.session, 'replay', ended.kind, ended.value, answer), expectedExpiry });
}

function facts(session: string, act: Act, kind: 'cookie' | 'jwt', value: string, answer: Answer): Omit<RequestFacts, 'expectedExpiry'> {
  const { startedAt, endedAt, status, attempts } = answer;
  return { session, act, kind, credential: digestOf(value), startedAt, endedAt, status, attempts, ...statedIdentity(answer.body) };
}

function extend(world: World, session: string, request: RequestFacts, rolled: SetCookie | undefined): void {
  if (rolled?.expiresAt !== undefined) world.ledger.extend(session, rolled.expiresAt);
  else if (request.kind === 'jwt')
    world.ledger.extend(session, request.startedAt + world.ledger.session(session).ttlMs * IDLE_LEFT_BY_TOKEN);
}
