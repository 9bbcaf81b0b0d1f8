import { sessionIdText } from '@wherry/sessions';
import { userIdClaim } from '@wherry/tokens';
import type { RegisteredClient } from '../clients.ts';
import type { AuthContext } from '../context.ts';
import type { ActiveToken } from '../oauth/introspection.ts';
import { usualAudience } from '../oauth/token-terms.ts';
import { inspectPresented, presenting } from './refresh.ts';
import { readRefreshToken } from './refresh-token-text.ts';
import { sessionById } from './session-by-id.ts';

/**
 * What is known of a refresh token that would be renewed at this moment, for the client that it was given to; undefined for
 * every other one, and of every other (RFC 7662 section 4). Nothing is changed. Errors: as of the session; `shard_unavailable`, `slot_not_owned`, `source_unavailable`.
 */
export async function inspectRenewal(context: AuthContext, client: RegisteredClient, text: string): Promise<ActiveToken | undefined> {
  const token = readRefreshToken(text);
  if (token === undefined) return undefined;
  const { subject } = await sessionById(context, token.selector.sessionId);
  const minimumGeneration = context.runtime.ended.minimumGeneration(subject.userId);
  const family = await inspectPresented(context, presenting({ client, jkt: undefined }, token, minimumGeneration));
  if (family === undefined || family.userId !== subject.userId) return undefined;
  const { oauth } = context;
  const { terms } = token;
  const names = terms.scope === undefined ? undefined : new Set(terms.scope.split(' '));
  const until = Math.min(family.idleExpiry, family.absoluteExpiry ?? Infinity);
  return {
    active: true,
    token_type: 'refresh_token',
    iss: oauth.issuer,
    aud: terms.audience ?? usualAudience(context, client),
    sub: subject.userId,
    userId: userIdClaim(subject.userId),
    authorities: names === undefined ? subject.authorities : subject.authorities.filter((authority) => names.has(authority)),
    ...(subject.username === null ? {} : { username: subject.username }),
    client_id: family.clientId,
    ...(terms.scope === undefined ? {} : { scope: terms.scope }),
    sid: sessionIdText(subject.key.id),
    iat: Math.floor(family.createTime / 1000),
    exp: Math.floor(until / 1000),
    auth_time: Math.floor(subject.createTime / 1000),
  };
}
