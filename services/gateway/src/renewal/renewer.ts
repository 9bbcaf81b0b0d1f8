import { asWherryError, isWherryError, type Logger } from '@wherry/core';
import { RENEWAL_COOKIE, expireCookie, readCookie, serializeCookie, type AuthorizationSource } from '@wherry/http';
import type { AccessTokenClaims, RefusalReason, Verifier } from '@wherry/tokens';
import { cookieHeader } from '../credential.ts';
import { refusal, refusalOf, refusalResponding, type Outcome, type Refusal } from '../outcome.ts';
import type { Caller } from '../caller.ts';
import type { ResponseHeaders } from '../respond.ts';
import type { RenewalClient, Renewed } from './renewal-client.ts';

/** Options of {@link Renewer}. */
export interface RenewerOptions {
  readonly client: RenewalClient;
  /** Judges the new token, as it will judge it at every later request. */
  readonly verifier: Verifier<Caller | undefined>;
  /** The same but for the time, and for changes of the session: it lets a token pass that ran out no longer ago than it may be renewed. */
  readonly lenient: Verifier<unknown>;
  /** Told of each renewal that was answered, for the user of the expired token. */
  readonly onRenewal: (userId: string, outcome: 'ok' | 'failed') => void;
  readonly log: Logger;
}

/** Counts since the start. */
export interface RenewalStats {
  readonly renewed: number;
  readonly refused: number;
  readonly unavailable: number;
}

/** A renewed access token and its life in seconds go back to the client in these. */
const ACCESS_TOKEN_HEADER = 'X-Wherry-Access-Token';
const EXPIRES_IN_HEADER = 'X-Wherry-Expires-In';

/**
 * Renews an access token that has run out, on its next use, without the client's doing: the request is judged by the new
 * token, and the answer carries that and the next renewal credential. Who brings no credential is refused as before.
 *
 * What may not happen is that a request goes on as somebody else than it was sent by: a browser has one renewal cookie,
 * and the token may be of the account before. So the expired token has to be whole and genuine, and the new one has to be
 * of the same user and session.
 */
export class Renewer {
  readonly #options: RenewerOptions;
  #renewed = 0;
  #refused = 0;
  #unavailable = 0;

  constructor(options: RenewerOptions) {
    this.#options = options;
  }

  get stats(): RenewalStats {
    return { renewed: this.#renewed, refused: this.#refused, unavailable: this.#unavailable };
  }

  /** What a request with a token that was refused for `reason` comes to; undefined where it brings nothing that could renew it. Never rejects. */
  attempt(token: string, { rawHeaders }: AuthorizationSource, reason: RefusalReason): Promise<Outcome> | undefined {
    const credential = readCookie(cookieHeader(rawHeaders), RENEWAL_COOKIE);
    if (credential === undefined || credential === '') return undefined;
    const expired = this.#options.lenient.verify(token);
    // Ran out too long ago, or its session has ended: there is nothing to ask.
    return expired.ok ? this.#renew(credential, expired.claims, reason) : undefined;
  }

  async #renew(credential: string, expired: AccessTokenClaims, reason: RefusalReason): Promise<Outcome> {
    const { client, verifier, log } = this.#options;
    try {
      const renewal = await client.renew(credential);
      this.#options.onRenewal(expired.sub, renewal.ok ? 'ok' : 'failed');
      if (!renewal.ok) return this.#refuse(reason, ['Set-Cookie', expireCookie(RENEWAL_COOKIE)]);
      const verified = verifier.verify(renewal.accessToken);
      if (!verified.ok) {
        // This instance has not heard of the key yet, or has of an end since.
        log.warn('a renewed access token is not accepted here', { reason: verified.reason });
        return this.#refuse(verified.reason, []);
      }
      const { sub, sid } = verified.claims;
      // The credential was spent on its own session, whose client gets the successor from the answer all the same.
      if (sub !== expired.sub || sid !== expired.sid) return this.#refuse(reason, setCredential(renewal));
      if (verified.derived === undefined) return this.#refuse('token_claims_invalid', []);
      this.#renewed++;
      return verified.derived.responding([
        'Cache-Control',
        'no-store',
        ACCESS_TOKEN_HEADER,
        renewal.accessToken,
        EXPIRES_IN_HEADER,
        String(renewal.expiresIn),
        ...setCredential(renewal),
      ]);
    } catch (thrown) {
      this.#unavailable++;
      const error = asWherryError(thrown);
      if (!isWherryError(thrown, 'renewal_unavailable')) log.error('an access token could not be renewed', { error: thrown });
      return error.status === 503 ? refusalOf('jwt', error) : refusal('jwt', 'renewal_unavailable');
    }
  }

  #refuse(code: Refusal['code'], respond: ResponseHeaders): Refusal {
    this.#refused++;
    const refused = refusal('jwt', code);
    return respond.length === 0 ? refused : refusalResponding(refused, respond);
  }
}

function setCredential({ credential, credentialExpiresIn }: Renewed): ResponseHeaders {
  return ['Set-Cookie', serializeCookie(RENEWAL_COOKIE, credential, { maxAgeSeconds: Math.max(0, Math.floor(credentialExpiresIn)) })];
}
