import { digestOf, subjectTokenType } from './credential.ts';
import { isObject } from './identity.ts';
import { isUnavailable } from './judge.ts';
import { enterRequest, type World } from './world.ts';

/** `refused`: the server gives no tokens now, the cookie stays good; `failed`: recorded and judged. */
export type Exchanged = 'done' | 'refused' | 'failed';

/** Exchanges a session's cookie for an access token (RFC 8693 section 2) and keeps it. `ends`: on the way to ending the session. */
export async function exchange(world: World, session: string, ends = false): Promise<Exchanged> {
  const cookie = world.wallet.cookie(session);
  if (cookie === undefined) return 'refused';
  const { expectedExpiry } = world.ledger.session(session);
  const body = new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: cookie,
    subject_token_type: subjectTokenType(cookie),
  });
  const answer = await world.client.send({ to: 'auth', method: 'POST', path: '/oauth/token', body });
  const said = isObject(answer.body) ? answer.body : {};
  const { access_token: token, expires_in: seconds } = said;
  const success = answer.status === 200 && typeof token === 'string' && typeof seconds === 'number';
  if (success) {
    world.exchanges.done++;
    // The server counts in whole seconds from a moment during the request: the earliest reading is taken.
    const expiresAt = (Math.floor(answer.startedAt / 1000) + seconds) * 1000;
    world.wallet.keepToken(session, { value: token, expiresAt });
    world.ledger.append({ entry: 'credential', session, kind: 'jwt', credential: digestOf(token), at: answer.endedAt });
    return 'done';
  }
  const unknownSession = answer.status === 401 || (answer.status === 400 && said['error'] === 'invalid_grant');
  const policy = (answer.status === 400 || answer.status === 403) && !unknownSession;
  if (policy) {
    world.exchanges.refused++;
    return 'refused';
  }
  enterRequest(world, {
    session,
    act: 'exchange',
    kind: 'cookie',
    credential: digestOf(cookie),
    startedAt: answer.startedAt,
    endedAt: answer.endedAt,
    // A token endpoint says 400 invalid_grant (RFC 6749 section 5.2) where a resource says 401; an answer of 200 without a token is a fault.
    status: unknownSession ? 401 : isUnavailable(answer.status) || answer.status >= 400 ? answer.status : 500,
    attempts: answer.attempts,
    expectedExpiry,
    ends,
  });
  return 'failed';
}
