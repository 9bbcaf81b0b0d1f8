import type { Answer } from './client.ts';
import { digestOf, subjectTokenType } from './credential.ts';
import { isObject } from './identity.ts';
import { isUnavailable } from './judge.ts';
import { enterRequest, type World } from './world.ts';

/** `refused`: there is no token to be had for the cookie, which stays as good as it was; `failed`: recorded and judged. */
export type Exchanged = 'done' | 'refused' | 'failed';

/**
 * Exchanges a session's cookie for an access token (RFC 8693 section 2), where clients renew for a renewal credential as
 * well, and keeps both. `ends`: on the way to ending the session.
 */
export async function exchange(world: World, session: string, ends = false): Promise<Exchanged> {
  const cookie = world.wallet.cookie(session);
  if (cookie === undefined || world.settings.retired) return 'refused';
  const { expectedExpiry } = world.ledger.session(session);
  const body = new URLSearchParams({
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: cookie,
    subject_token_type: subjectTokenType(cookie),
    ...(world.settings.mode === 'renewing' ? { scope: 'offline_access' } : {}),
  });
  const answer = await world.client.send({ to: 'auth', method: 'POST', path: '/oauth/token', body });
  const said = isObject(answer.body) ? answer.body : {};
  if (answer.status === 200 && keepTokens(world, session, said, answer)) {
    world.renewals.exchanged++;
    return 'done';
  }
  const unknownSession = answer.status === 401 || (answer.status === 400 && said['error'] === 'invalid_grant');
  const policy = (answer.status === 400 || answer.status === 403) && !unknownSession;
  if (policy) {
    world.renewals.exchangesRefused++;
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

/** Keeps what an answer of the token endpoint brings (RFC 6749 section 5.1). False: no access token. `presented`: the renewal credential that it came for. */
export function keepTokens(
  world: World,
  session: string,
  said: Readonly<Record<string, unknown>>,
  answer: Answer,
  presented?: string,
): boolean {
  const { access_token: token, expires_in: seconds, refresh_token: renewal } = said;
  if (typeof token !== 'string' || typeof seconds !== 'number') return false;
  keepToken(world, session, token, seconds, answer);
  if (typeof renewal === 'string') keepRenewal(world, session, renewal, answer, presented);
  return true;
}

/** Keeps an access token that lives for `seconds`. */
export function keepToken(world: World, session: string, value: string, seconds: number, answer: Answer): void {
  // The server counts in whole seconds from a moment during the request: the earliest reading is taken.
  const expiresAt = (Math.floor(answer.startedAt / 1000) + seconds) * 1000;
  world.wallet.keepToken(session, { value, expiresAt });
  world.ledger.append({ entry: 'credential', session, kind: 'jwt', credential: digestOf(value), at: answer.endedAt });
}

/** Keeps a renewal credential. */
export function keepRenewal(world: World, session: string, value: string, answer: Answer, presented?: string): void {
  world.wallet.keepRenewal(session, value, presented);
  world.ledger.append({ entry: 'credential', session, kind: 'renewal', credential: digestOf(value), at: answer.endedAt });
}
