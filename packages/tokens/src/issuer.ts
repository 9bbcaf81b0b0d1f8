import { randomUUID } from 'node:crypto';
import { WherryError } from '@wherry/core';
import {
  ACCESS_TOKEN_TYPE,
  MAX_TOKEN_LENGTH,
  isServiceSubject,
  serviceSubject,
  userIdClaim,
  type AccessTokenClaims,
  type ActorClaim,
  type ConfirmationClaim,
} from './access-token.ts';
import type { SigningKeySource } from './key-source.ts';
import { readClaims } from './read-claims.ts';
import { createSignature } from './signature.ts';

/** Options of {@link createIssuer}. */
export interface IssuerOptions {
  readonly keys: SigningKeySource;
  readonly issuer: string;
  /** For whom tokens may be issued; of several, the first where a grant names none. */
  readonly audience: string | readonly string[];
  /** Life of a token in seconds, before any cap. */
  readonly lifeS: number;
}

/** What a token may be narrowed to, whomever it is for. */
export interface TokenLimits {
  /** One or several of the issuer's audiences. */
  readonly audience?: string | readonly string[];
  /** Names with one space between (RFC 6749 section 3.3). */
  readonly scope?: string;
  /** A life shorter than the issuer's, seconds. */
  readonly lifeS?: number;
  /** No later `exp` than this second: a token made from another does not outlive it. */
  readonly notAfter?: number;
  /** The key that the token is bound to. */
  readonly cnf?: ConfirmationClaim;
  /** Never given to another token; default a random one. */
  readonly jti?: string;
}

/** Whom a token is issued to, as read in one atomic step. */
export interface TokenGrant extends TokenLimits {
  /** Not in the form of a service's subject: `grant_invalid`. */
  readonly userId: string;
  /** All of the user's, or fewer where the client asked for fewer. */
  readonly authorities: readonly string[];
  readonly username?: string | null;
  readonly clientId: string;
  /** Who acts for the user; at most four within each other. */
  readonly act?: ActorClaim;
  /** Id of the session's row. */
  readonly sessionId?: bigint;
  /** Id of the family of refresh tokens that the token comes with. */
  readonly familyId?: bigint;
  /** The user's generation that is stamped on the session. */
  readonly generation: number;
  /** Second in which the session was read: `iat`. A revocation after that moment reaches the token. */
  readonly issuedAt: number;
  /** Second in which the user last proved who he is. */
  readonly authTime: number;
  /** The session's absolute expiry in epoch milliseconds, null for none: no token lives longer. */
  readonly sessionExpiresAt: number | null;
}

/** A service that acts in its own name (RFC 6749 section 4.4). */
export interface ServiceGrant extends TokenLimits {
  readonly clientId: string;
  readonly authorities: readonly string[];
  /** The least generation of the service's subject that is alive; default 0, that of a service whose tokens were never ended together. */
  readonly generation?: number;
  /** Second in which the client proved who it is: `iat` and `auth_time`. */
  readonly issuedAt: number;
}

/** A token and what it says. */
export interface IssuedToken {
  /** A secret: never log it. */
  readonly token: string;
  readonly claims: AccessTokenClaims;
}

/** Issues access tokens. */
export interface Issuer {
  /**
   * Signs a token for `grant`; what is issued verifies. Throws `session_expired`, `signing_key_unavailable`,
   * `target_invalid` for an audience that is not the issuer's, and `grant_invalid` for values that no verifier would
   * take: such a user stays with his session token.
   */
  issue(grant: TokenGrant): IssuedToken;
  /**
   * Signs a token for a service: `sub` is `client:` and the client's id, and there is no `sid`. Throws as
   * `issue` does.
   */
  issueToService(grant: ServiceGrant): IssuedToken;
}

/** Makes the issuer of an audience, or of several (RFC 9068). */
export function createIssuer(options: IssuerOptions): Issuer {
  const issuer = new AccessTokenIssuer(options);
  return { issue: (grant) => issuer.issue(grant), issueToService: (grant) => issuer.issueToService(grant) };
}

/** The claims that differ between users and services. */
type SubjectClaims = Omit<AccessTokenClaims, 'iss' | 'aud' | 'jti' | 'exp'>;

class AccessTokenIssuer {
  readonly #options: IssuerOptions;
  readonly #audiences: readonly [string, ...string[]];

  constructor(options: IssuerOptions) {
    const [first, ...others] = typeof options.audience === 'string' ? [options.audience] : options.audience;
    if (first === undefined) throw new WherryError('config_invalid', 'an issuer needs an audience');
    this.#options = options;
    this.#audiences = [first, ...others];
  }

  issue(grant: TokenGrant): IssuedToken {
    if (isServiceSubject(grant.userId)) throw unissuable('the user id has the form of a service');
    const sessionEndS = grant.sessionExpiresAt === null ? Number.POSITIVE_INFINITY : Math.floor(grant.sessionExpiresAt / 1000);
    return this.#sign(grant, sessionEndS, {
      sub: grant.userId,
      userId: userIdClaim(grant.userId),
      authorities: [...grant.authorities],
      ...(typeof grant.username === 'string' && grant.username !== '' ? { username: grant.username } : {}),
      client_id: grant.clientId,
      ...(grant.sessionId === undefined ? {} : { sid: grant.sessionId.toString() }),
      ...(grant.familyId === undefined ? {} : { fam: grant.familyId.toString() }),
      gen: grant.generation,
      iat: grant.issuedAt,
      auth_time: grant.authTime,
      ...(grant.act === undefined ? {} : { act: grant.act }),
    });
  }

  issueToService(grant: ServiceGrant): IssuedToken {
    const subject = serviceSubject(grant.clientId);
    return this.#sign(grant, Number.POSITIVE_INFINITY, {
      sub: subject,
      userId: subject,
      authorities: [...grant.authorities],
      client_id: grant.clientId,
      gen: grant.generation ?? 0,
      iat: grant.issuedAt,
      auth_time: grant.issuedAt,
    });
  }

  #sign(limits: TokenLimits, endS: number, subject: SubjectClaims): IssuedToken {
    const { keys, issuer, lifeS } = this.#options;
    const aud = this.#audienceOf(limits.audience);
    const { kid, alg, privateKey, longestLifeS } = keys.signingKey();
    const { iat } = subject;
    const exp = Math.min(iat + Math.min(lifeS, limits.lifeS ?? lifeS, longestLifeS), endS, limits.notAfter ?? endS);
    if (exp <= iat) throw new WherryError('session_expired', 'the session is at its end; no token can be issued for it');
    const claims: AccessTokenClaims = {
      iss: issuer,
      aud,
      ...subject,
      jti: limits.jti ?? randomUUID(),
      exp,
      ...(limits.scope === undefined ? {} : { scope: limits.scope }),
      ...(limits.cnf === undefined ? {} : { cnf: { jkt: limits.cnf.jkt } }),
    };
    const payload = Buffer.from(JSON.stringify(claims), 'utf8');
    if (readClaims(payload) === undefined) throw unissuable('a value is empty, too long or not of its form');
    const header = Buffer.from(JSON.stringify({ typ: ACCESS_TOKEN_TYPE, alg, kid }), 'utf8');
    const input = `${header.toString('base64url')}.${payload.toString('base64url')}`;
    const signature = createSignature(alg, privateKey, Buffer.from(input, 'latin1'));
    const token = `${input}.${signature.toString('base64url')}`;
    if (token.length > MAX_TOKEN_LENGTH)
      throw unissuable(
        `with ${claims.authorities.length} authorities the token has ${token.length} characters; ${MAX_TOKEN_LENGTH} are allowed`,
      );
    keys.issued?.(kid);
    return { token, claims };
  }

  #audienceOf(asked: string | readonly string[] | undefined): string | readonly string[] {
    const wanted = new Set(typeof asked === 'string' ? [asked] : (asked ?? [this.#audiences[0]]));
    for (const audience of wanted)
      if (!this.#audiences.includes(audience)) throw new WherryError('target_invalid', 'no token is issued for the audience asked for');
    const [first, ...others] = wanted;
    if (first === undefined) throw new WherryError('target_invalid', 'a token needs an audience');
    return others.length === 0 ? first : [first, ...others];
  }
}

function unissuable(why: string): WherryError {
  return new WherryError('grant_invalid', `no access token can be issued: ${why}`);
}
