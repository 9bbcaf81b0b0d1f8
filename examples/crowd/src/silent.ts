import type { Answer } from './client.ts';
import { cookieHeader, findSetCookie } from './credential.ts';
import { keepRenewal, keepToken } from './exchange.ts';
import { now } from './ledger.ts';
import { renewsSilently, type World } from './world.ts';

/** The cookie in which browsers keep a renewal credential. */
const RENEWAL_COOKIE = '__Host-rt';
/** How long after its end a token is still sent in the hope that the gateway renews it, milliseconds: less than it does. */
const HOPE_MS = 8000;

/** True when a token that has run out is sent all the same, because the gateway renews it on the way. */
export function hopesForRenewal(world: World, session: string, userId: string): boolean {
  const token = world.wallet.token(session);
  return token !== undefined && token.expiresAt + HOPE_MS > now() && renewalCookie(world, session, userId).length > 0;
}

/** The cookie that a client of the silent kind sends beside its token. */
export function renewalCookie(world: World, session: string, userId: string): readonly string[] {
  const held = world.wallet.renewal(session);
  return held !== undefined && world.settings.mode === 'renewing' && renewsSilently(userId)
    ? [cookieHeader(RENEWAL_COOKIE, held.value)]
    : [];
}

/** Takes a token and a credential that the gateway renewed on the way; `dropped`: this answer never arrived, and the request is sent again. */
export function takeRenewed(world: World, session: string, answer: Answer): 'taken' | 'nothing' | 'dropped' {
  const set = findSetCookie(answer.headers['set-cookie'], RENEWAL_COOKIE);
  if (set?.value === '') {
    world.renewals.refused++;
    world.wallet.keepRenewal(session, undefined);
    return 'nothing';
  }
  const token = answer.headers['x-wherry-access-token'];
  const seconds = Number(answer.headers['x-wherry-expires-in']);
  if (typeof token !== 'string' || !(seconds > 0) || set === undefined) return 'nothing';
  if (Math.random() < world.settings.dropped) {
    world.renewals.dropped++;
    return 'dropped';
  }
  keepToken(world, session, token, seconds, answer);
  keepRenewal(world, session, set.value, answer, world.wallet.renewal(session)?.value);
  world.renewals.silent++;
  return 'taken';
}
