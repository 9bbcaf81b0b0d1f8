import { systemClock, type Clock } from '@wherry/core';
import type { RevocationView } from '@wherry/revocation';
import { ACCESS_TOKEN_TYPE, MAX_TOKEN_LENGTH, principalOf, type AccessTokenClaims, type TokenPrincipal } from './access-token.ts';
import { readCompactJws, verifyCompactSignature } from './compact-jws.ts';
import type { KeySource, VerificationKey } from './key-source.ts';
import { readClaims } from './read-claims.ts';
import { RecentTokens, type Remembered } from './recent-tokens.ts';
import { refused, type Refused } from './refusal.ts';

/** A token that holds. The same object for the same token, as long as it is remembered. */
export interface Verified<D = undefined> {
  readonly ok: true;
  readonly claims: AccessTokenClaims;
  readonly principal: TokenPrincipal;
  /** What `derive` made of the claims, once a token. */
  readonly derived: D;
}

/** What {@link Verifier.verify} finds. */
export type Verification<D = undefined> = Verified<D> | Refused;

/** Options of {@link createVerifier}. */
export interface VerifierOptions<D = undefined> {
  readonly keys: KeySource;
  readonly revocations: RevocationView;
  /** What `iss` has to be, exactly. */
  readonly issuer: string;
  /** What `aud` has to be, or to hold, exactly; of several, one is enough. */
  readonly audience: string | readonly string[];
  /** Longest life of a token in seconds: revocations are remembered just as long. Longer-lived tokens are refused. */
  readonly maxLifeS: number;
  /** Computed once for a token and kept with it, e.g. the identity headers. Must not throw. */
  readonly derive?: (claims: AccessTokenClaims) => D;
  readonly clock?: Clock;
  /** How far the clocks of issuer and verifier may be apart, milliseconds; default 30000. */
  readonly skewMs?: number;
  /** Most tokens remembered; default 50000. */
  readonly cacheSize?: number;
  /** Longest token in characters; default 8192. */
  readonly maxLength?: number;
  /** An unknown key id counts as unknown only when the key set was proved complete this many milliseconds ago or less; default 5000. */
  readonly keyFreshMs?: number;
}

/** Counts since the start, for metrics. */
export interface VerifierStats {
  readonly hits: number;
  readonly misses: number;
  readonly remembered: number;
}

/**
 * How a token was presented. `bearer`: by itself, which one that is bound to a key refuses (`token_bound`). A thumbprint:
 * with a proof that its bearer holds that key, which one that is not bound to just this key refuses. `inspected`: not
 * presented at all, somebody asks about it or is about to look for the proof.
 */
export type Presentation = 'bearer' | 'inspected' | { readonly jkt: string };

/** Judges access tokens. */
export interface Verifier<D = undefined> {
  /**
   * Judges a token at this moment, finally (RFC 9068 section 4). Synchronous, from memory only, and never throws.
   * How stale the revocations may be is the caller's to decide, from `RevocationView.staleMs`. `presented` is `bearer`
   * where nothing else is said, so that nobody can take a bound token for a free one by forgetting to ask.
   */
  verify(token: string, presented?: Presentation): Verification<D>;
  /** The same for a token that is remembered; undefined: it would have to be examined, which is work that a caller may bound. */
  recall(token: string, presented?: Presentation): Verification<D> | undefined;
  readonly stats: VerifierStats;
}

/** Makes the verifier of an audience. */
export function createVerifier<D = undefined>(options: VerifierOptions<D>): Verifier<D> {
  return new AccessTokenVerifier(options);
}

/** A token whose form, claims and signature hold for ever; the rest is asked again at every use. */
interface Entry<D> extends Remembered {
  readonly verified: Verified<D>;
  readonly key: VerificationKey;
  /** Valid from … until, epoch milliseconds, skew included. */
  readonly fromMs: number;
  readonly untilMs: number;
  /** The versions at which key and revocations were last looked at. */
  keysVersion: number;
  revocationsVersion: number;
}

class AccessTokenVerifier<D> implements Verifier<D> {
  readonly #options: VerifierOptions<D>;
  readonly #keys: KeySource;
  readonly #revocations: RevocationView;
  readonly #audiences: readonly string[];
  readonly #clock: Clock;
  readonly #skewMs: number;
  readonly #maxLength: number;
  readonly #keyFreshMs: number;
  readonly #recent: RecentTokens<Entry<D>>;
  #hits = 0;
  #misses = 0;

  constructor(options: VerifierOptions<D>) {
    this.#options = options;
    this.#keys = options.keys;
    this.#revocations = options.revocations;
    this.#audiences = typeof options.audience === 'string' ? [options.audience] : [...options.audience];
    this.#clock = options.clock ?? systemClock;
    this.#skewMs = options.skewMs ?? 30_000;
    this.#maxLength = options.maxLength ?? MAX_TOKEN_LENGTH;
    this.#keyFreshMs = options.keyFreshMs ?? 5000;
    this.#recent = new RecentTokens(options.cacheSize ?? 50_000);
  }

  get stats(): VerifierStats {
    return { hits: this.#hits, misses: this.#misses, remembered: this.#recent.size };
  }

  verify(token: string, presented: Presentation = 'bearer'): Verification<D> {
    const verification = this.#verify(token);
    return verification.ok ? (judgePresentation(verification.claims, presented) ?? verification) : verification;
  }

  #verify(token: string): Verification<D> {
    const entry = this.#recent.get(token);
    if (entry === undefined) {
      this.#misses++;
      return this.#examine(token);
    }
    this.#hits++;
    const refusal = this.#judge(entry);
    return refusal ?? entry.verified;
  }

  recall(token: string, presented: Presentation = 'bearer'): Verification<D> | undefined {
    const entry = this.#recent.get(token);
    if (entry === undefined) return undefined;
    this.#hits++;
    return this.#judge(entry) ?? judgePresentation(entry.verified.claims, presented) ?? entry.verified;
  }

  /** Everything, in the order of design: form, header, key, claims, signature, time, issuer, audience, revocation. */
  #examine(token: string): Verification<D> {
    if (token.length > this.#maxLength) return refused('token_too_large');
    const jws = readCompactJws(token);
    if (!jws.ok) return jws;
    if (!isAccessTokenType(jws.typ)) return refused('token_type_wrong');
    if (jws.kid === undefined) return refused('token_header_invalid');
    const keysVersion = this.#keys.version;
    const key = this.#keys.find(jws.kid);
    if (key === undefined) return this.#unknownKey();
    if (key.alg !== jws.alg) return refused('token_algorithm_refused');
    const claims = readClaims(jws.payload);
    if (claims === undefined || claims.exp - claims.iat > this.#options.maxLifeS) return refused('token_claims_invalid');
    if (!verifyCompactSignature(jws, key)) return refused('token_signature_invalid');

    const entry: Entry<D> = {
      token: copyOf(token),
      movedAt: 0,
      verified: Object.freeze({ ok: true, claims, principal: principalOf(claims), derived: this.#options.derive?.(claims) as D }),
      key,
      fromMs: Math.max(claims.iat, claims.nbf ?? 0) * 1000 - this.#skewMs,
      untilMs: claims.exp * 1000 + this.#skewMs,
      keysVersion,
      revocationsVersion: Number.NaN,
    };
    const untimely = this.#judgeTime(entry);
    if (untimely !== undefined) return untimely;
    if (claims.iss !== this.#options.issuer) return refused('token_issuer_wrong');
    if (!this.#isForUs(claims.aud)) return refused('token_audience_wrong');
    const ended = this.#judgeRevocation(entry);
    if (ended !== undefined) return ended;
    this.#recent.add(entry);
    return entry.verified;
  }

  #isForUs(aud: string | readonly string[]): boolean {
    return typeof aud === 'string' ? this.#audiences.includes(aud) : aud.some((audience) => this.#audiences.includes(audience));
  }

  /** What can change about a token that held before: the time, its key, and what was revoked. Asked at every use. */
  #judge(entry: Entry<D>): Refused | undefined {
    const untimely = this.#judgeTime(entry);
    if (untimely !== undefined) return untimely;
    const keysVersion = this.#keys.version;
    if (entry.keysVersion !== keysVersion) {
      if (this.#keys.find(entry.key.kid) !== entry.key) {
        this.#recent.delete(entry.token);
        return this.#unknownKey();
      }
      entry.keysVersion = keysVersion;
    }
    return entry.revocationsVersion === this.#revocations.version ? undefined : this.#judgeRevocation(entry);
  }

  /** Not remembered as a refusal: the clock may be set right again. */
  #judgeTime(entry: Entry<D>): Refused | undefined {
    const now = this.#clock.now();
    if (now >= entry.untilMs) return refused('token_expired');
    return now < entry.fromMs ? refused('token_not_yet_valid') : undefined;
  }

  #judgeRevocation(entry: Entry<D>): Refused | undefined {
    // Read first: a change between here and the questions is then asked about again.
    const version = this.#revocations.version;
    const { sid, fam, sub, gen, iat, jti } = entry.verified.claims;
    if (sid !== undefined && this.#revocations.isSessionEnded(sid)) return refused('token_session_ended');
    if (gen < this.#revocations.minimumGeneration(sub)) return refused('token_generation_old');
    if (sid !== undefined && iat <= (this.#revocations.sessionTokensNotBefore?.(sid) ?? 0)) return refused('token_session_changed');
    if (iat <= this.#revocations.issuerNotBefore) return refused('token_revoked');
    if (this.#revocations.isTokenEnded?.(jti) === true) return refused('token_ended');
    if (fam !== undefined && this.#revocations.isFamilyEnded?.(fam) === true) return refused('token_ended');
    entry.revocationsVersion = version;
    return undefined;
  }

  #unknownKey(): Refused {
    const { size, staleMs } = this.#keys;
    return refused(size > 0 && staleMs <= this.#keyFreshMs ? 'token_key_unknown' : 'token_key_unproved');
  }
}

/** RFC 9449 section 7.1: a bound token is worth nothing without its proof, and a proof nothing for another token. */
function judgePresentation({ cnf }: AccessTokenClaims, presented: Presentation): Refused | undefined {
  if (presented === 'inspected') return undefined;
  if (presented === 'bearer') return cnf === undefined ? undefined : refused('token_bound');
  return cnf?.jkt === presented.jkt ? undefined : refused('token_bound');
}

/** `at+jwt`, with or without `application/`, in any case (RFC 9068 section 4, RFC 7515 section 4.1.9). */
function isAccessTokenType(typ: string | undefined): boolean {
  const type = typ?.toLowerCase();
  return type === ACCESS_TOKEN_TYPE || type === `application/${ACCESS_TOKEN_TYPE}`;
}

/** A part of a text keeps the whole text alive; what is remembered for long must not hold on to the request that it came in. ASCII. */
function copyOf(token: string): string {
  return Buffer.from(token, 'latin1').toString('latin1');
}
