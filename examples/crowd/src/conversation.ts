import { cookieHeader, digestOf, findSetCookie, mutilated, type SetCookie } from './credential.ts';
import type { Answer, Sent } from './client.ts';
import type { Act, CredentialKind, RequestFacts } from './facts.ts';
import { statedIdentity } from './identity.ts';
import { isCarried, type Verdict } from './judge.ts';
import { now } from './ledger.ts';
import { askWithEnded, renew } from './renew.ts';
import { hopesForRenewal, renewalCookie, takeRenewed } from './silent.ts';
import type { EndedCredential } from './wallet.ts';
import { enterRequest, isBroken, sendsToken, type World } from './world.ts';

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

interface Said {
  readonly kind: 'cookie' | 'jwt';
  readonly value: string;
  readonly answer: Answer;
}

/** An active JWT user's session is touched at least every quarter of its idle time, so this much of it is always left. */
const IDLE_LEFT_BY_TOKEN = 0.75;
/** Releases of the clients, by which an operator tells them apart. */
const VERSION = { cookie: '1.0', jwt: '2.0', broken: '2.0-broken' } as const;

/**
 * Sends one request for a session, with one renewal or exchange when its JWT is refused, and enters it into the record.
 * Undefined: there was no credential to send, or getting one failed, which is in the record by itself.
 */
export async function speak(world: World, session: string, line: Line): Promise<Spoken | undefined> {
  const { userId, expectedExpiry } = world.ledger.session(session);
  const cookie = world.settings.retired ? undefined : world.wallet.cookie(session);
  if (!world.wallet.holds(session)) return undefined;
  let wantsToken = line.credential !== 'cookie' && sendsToken(world, userId);
  if (wantsToken && !hasToken(world, session, userId) && (await renew(world, session, line.ends)) === 'failed') return undefined;
  if (wantsToken && line.ends !== true && isBroken(world, userId)) {
    await sendMutilated(world, session, line);
    // It is told 401 and has its cookie.
    wantsToken = false;
  }

  const say = async (): Promise<Said | undefined> => {
    const token = wantsToken ? world.wallet.token(session) : undefined;
    if (token === undefined && cookie === undefined) return undefined;
    const kind = token === undefined ? 'cookie' : 'jwt';
    const cookies = [
      ...(cookie !== undefined && (token === undefined || (line.credential === 'both' && !world.settings.stateless))
        ? [cookieHeader(world.settings.cookieName, cookie)]
        : []),
      ...(token === undefined ? [] : renewalCookie(world, session, userId)),
    ];
    const headers = {
      'x-client-version': VERSION[kind],
      ...(token === undefined ? {} : { authorization: `Bearer ${token.value}` }),
      ...(cookies.length === 0 ? {} : { cookie: cookies.join('; ') }),
    };
    const answer = await world.client.send({ ...line.request(kind), headers });
    if (kind === 'cookie' && answer.headers['deprecation'] !== undefined) world.told.add(userId);
    if (token !== undefined && takeRenewed(world, session, answer) === 'dropped') return say();
    return { kind, value: token?.value ?? cookie ?? '', answer };
  };

  let said = await say();
  let exchanged: RequestFacts['exchanged'];
  // An earlier try that nobody answered may have ended the session: what comes after it does not speak of the time before.
  const ends = line.ends === true && (said === undefined || said.answer.attempts === 1);
  const token = world.wallet.token(session);
  if (said?.kind === 'jwt' && said.answer.status === 401 && token !== undefined) {
    exchanged = token.expiresAt <= said.answer.endedAt ? 'expired' : 'unexpired';
    const outcome = await renew(world, session, ends);
    if (outcome === 'refused') world.wallet.keepToken(session, undefined);
    // With nothing left to send, the refusal stands.
    if (outcome !== 'failed') said = (await say()) ?? said;
    // The expired token's own 401 says nothing; why there was no new one has been recorded.
    else if (exchanged === 'expired') return line.ends === true && !ends ? uncertain(said.answer) : undefined;
  }
  if (said === undefined) return undefined;
  if (line.ends === true && ranOutMeanwhile(world, session, said)) return uncertain(said.answer);
  const { kind, value, answer } = said;
  const request: RequestFacts = {
    ...facts(session, line.act, kind, value, answer),
    expectedExpiry,
    ...(line.ends === undefined ? {} : { ends }),
    ...(exchanged === undefined ? {} : { exchanged }),
  };
  const verdict = enterRequest(world, request);
  const set = findSetCookie(answer.headers['set-cookie'], world.settings.cookieName);
  if (verdict === 'good') extend(world, session, request, set?.value === cookie ? set : undefined);
  return { answer, verdict, carried: isCarried(verdict, request), cookie: set };
}

/** True where a token that was sent several times is refused, and may have run out before anybody answered. */
function ranOutMeanwhile({ wallet }: World, session: string, { kind, answer: { status, attempts, endedAt } }: Said): boolean {
  return kind === 'jwt' && status === 401 && attempts > 1 && (wallet.token(session)?.expiresAt ?? 0) <= endedAt;
}

/** Earlier tries got no answer, and the last one none that says what they did. */
function uncertain(answer: Answer): Spoken {
  return { answer: { ...answer, status: 0 }, verdict: 'unjudged', carried: false, cookie: undefined };
}

/** Tries a credential whose session has ended. */
export async function replay(world: World, ended: EndedCredential): Promise<Verdict> {
  const { session, kind, value } = ended;
  const headers: Record<string, string> =
    kind === 'jwt' ? { authorization: `Bearer ${value}` } : { cookie: cookieHeader(world.settings.cookieName, value) };
  const answer =
    kind === 'renewal'
      ? await askWithEnded(world, value)
      : await world.client.send({ to: 'gateway', method: 'GET', path: '/whoami', headers });
  const { expectedExpiry } = world.ledger.session(session);
  return enterRequest(world, { ...facts(session, 'replay', kind, value, answer), expectedExpiry });
}

/** Sends the cookie of a live session after the server has said that it takes none: it has to be refused. */
export async function sendOldCookie(world: World, session: string, cookie: string): Promise<Verdict> {
  const headers = { 'x-client-version': VERSION.cookie, cookie: cookieHeader(world.settings.cookieName, cookie) };
  const answer = await world.client.send({ to: 'gateway', method: 'GET', path: '/whoami', headers });
  const { expectedExpiry } = world.ledger.session(session);
  return enterRequest(world, { ...facts(session, 'old-cookie', 'cookie', cookie, answer), expectedExpiry, unfit: 'retired' });
}

/** What a broken release does: it spoils the token that it has. */
async function sendMutilated(world: World, session: string, line: Line): Promise<void> {
  const token = world.wallet.token(session);
  if (token === undefined) return;
  const value = mutilated(token.value);
  const headers = { 'x-client-version': VERSION.broken, authorization: `Bearer ${value}` };
  const answer = await world.client.send({ ...line.request('jwt'), headers });
  const { expectedExpiry } = world.ledger.session(session);
  enterRequest(world, { ...facts(session, line.act, 'jwt', value, answer), expectedExpiry, unfit: 'mutilated' });
}

/** True when there is a token to send: one that holds, or one that the gateway may renew on the way. A client that only exchanges learns by the refusal. */
function hasToken(world: World, session: string, userId: string): boolean {
  const token = world.wallet.token(session);
  if (token === undefined) return false;
  return world.wallet.renewal(session) === undefined || token.expiresAt > now() || hopesForRenewal(world, session, userId);
}

function facts(session: string, act: Act, kind: CredentialKind, value: string, answer: Answer): Omit<RequestFacts, 'expectedExpiry'> {
  const { startedAt, endedAt, status, attempts } = answer;
  return { session, act, kind, credential: digestOf(value), startedAt, endedAt, status, attempts, ...statedIdentity(answer.body) };
}

function extend(world: World, session: string, request: RequestFacts, rolled: SetCookie | undefined): void {
  if (rolled?.expiresAt !== undefined) world.ledger.extend(session, rolled.expiresAt);
  else if (request.kind === 'jwt')
    world.ledger.extend(session, request.startedAt + world.ledger.session(session).ttlMs * IDLE_LEFT_BY_TOKEN);
}
