import type { AuthorizationSource } from '@wherry/http';
import type { CarriedSessions, SessionCookie, SessionRuntime } from '@wherry/sessions';
import { readCompactJws, readUnproved, type KeySource, type Verifier } from '@wherry/tokens';
import type { Caller } from './caller.ts';
import { credentialOf, type SessionCredential } from './credential.ts';
import { refusal, type Outcome } from './outcome.ts';
import { judgeStaleToken } from './stale-token.ts';

/** What decides when a caller is looked at again. */
export interface SecondLookOptions {
  readonly verifier: Verifier<Caller | undefined>;
  readonly keys: KeySource;
  readonly runtime: SessionRuntime;
  readonly carried: CarriedSessions | undefined;
  readonly cookie: SessionCookie | undefined;
  /** Whether news of revocations are recent enough. */
  readonly fresh: () => boolean;
  readonly session: (credential: SessionCredential) => Outcome | Promise<Outcome>;
}

/**
 * Whether the caller of a request that was let in a while ago would still be let in as the same one. His session, his
 * user, his key and his roles count as they are now. That his access token has run out meanwhile does not: the client
 * of an open connection cannot hand in a new one, so from then on the session's row decides, and a token without a
 * session ends the connection with itself.
 */
export function judgeAgain(caller: Caller, request: AuthorizationSource, options: SecondLookOptions): Outcome | Promise<Outcome> {
  const credential = credentialOf(request, options.cookie);
  switch (credential.kind) {
    case 'refused':
      return credential.refusal;
    case 'jwt':
    case 'bound_jwt':
      return token(caller, credential.token, options);
    case 'session_token':
    case 'cookie': {
      const outcome = options.session(credential);
      return outcome instanceof Promise ? outcome.then((settled) => same(caller, settled)) : same(caller, outcome);
    }
  }
}

function token(caller: Caller, text: string, options: SecondLookOptions): Outcome | Promise<Outcome> {
  const { verifier, fresh } = options;
  // What it is bound to was proved when the request came in.
  const verified = verifier.verify(text, 'inspected');
  if (verified.ok) return fresh() ? caller : judgeStaleToken(caller, options);
  if (verified.reason !== 'token_expired') return refusal('jwt', verified.reason);
  return expiredToken(caller, text, options);
}

/** The same questions as for a token that has not run out, except for the time; then the row. */
function expiredToken(caller: Caller, text: string, { keys, runtime, carried }: SecondLookOptions): Outcome | Promise<Outcome> {
  const { sessionId, generation, principal } = caller;
  if (sessionId === undefined) return refusal('jwt', 'token_expired');
  const jws = readCompactJws(text);
  if (!jws.ok || jws.kid === undefined || keys.find(jws.kid) === undefined) return refusal('jwt', 'token_key_unknown');
  const { iat, fam, jti } = readUnproved(jws.payload) ?? {};
  if (typeof iat !== 'number' || iat <= runtime.ended.issuerNotBefore) return refusal('jwt', 'token_revoked');
  if (runtime.ended.isSessionEnded(sessionId.toString())) return refusal('jwt', 'token_session_ended');
  if (iat <= runtime.ended.sessionTokensNotBefore(sessionId.toString())) return refusal('jwt', 'token_session_changed');
  if (generation < runtime.ended.minimumGeneration(principal.userId)) return refusal('jwt', 'token_generation_old');
  // The row of the session says nothing of these.
  if (typeof fam === 'string' && runtime.ended.isFamilyEnded(fam)) return refusal('jwt', 'token_ended');
  if (typeof jti === 'string' && runtime.ended.isTokenEnded(jti)) return refusal('jwt', 'token_ended');
  return judgeStaleToken(caller, { runtime, carried });
}

/** A session may have another user by now, or its user other authorities; the upstream was told of the old ones. */
function same(caller: Caller, outcome: Outcome): Outcome {
  if (!outcome.ok) return outcome;
  const { userId, authorities } = outcome.principal;
  const unchanged =
    userId === caller.principal.userId &&
    authorities.length === caller.principal.authorities.length &&
    authorities.every((authority) => caller.principal.authorities.includes(authority));
  return unchanged ? caller : refusal(outcome.kind, 'session_ended');
}
