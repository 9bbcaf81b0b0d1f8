import { systemClock, type Clock } from '@wherry/core';
import { IDENTITY_HEADERS, type IdentityHeaders, type IncomingHeaders } from './identity-headers.ts';
import { secretsOf, signIdentity, verifyIdentity, type IdentitySecret, type SignedForm } from './identity-mac.ts';

/** Options of {@link IdentitySigner}. */
export interface IdentitySignerOptions {
  /** The first one signs, each one verifies: so a new secret is brought in everywhere before the old one goes. */
  readonly secrets: readonly IdentitySecret[];
  readonly clock?: Clock;
}

/** Fixed for ever within `v1`: the order in which headers go under the signature. */
const FORM: SignedForm = { version: 'v1', headers: Object.values(IDENTITY_HEADERS).toSorted() };

/**
 * Signs and verifies identity headers between gateway and back end, in the form that `identity-mac.ts` describes.
 *
 * It proves that the gateway named this user within the last 30 seconds. It does not bind method, path and body, which
 * proxies may rewrite: who can read the network between gateway and back end can repeat it for that long, so such a
 * network needs TLS as well.
 */
export class IdentitySigner {
  readonly #secrets: readonly IdentitySecret[];
  readonly #clock: Clock;

  /** Errors: `config_invalid` without a secret or with one that is too short. */
  constructor(options: IdentitySignerOptions) {
    this.#secrets = secretsOf(options.secrets);
    this.#clock = options.clock ?? systemClock;
  }

  /** The value of the signature header for `headers`. */
  sign(headers: IdentityHeaders): string {
    return signIdentity(FORM, this.#secrets[0] ?? '', this.#clock.now(), headers);
  }

  /**
   * Accepts the request's identity headers and answers when they were signed, epoch milliseconds. Errors:
   * `unauthenticated` when the signature is missing, too old, from the future or wrong.
   */
  verify(headers: IncomingHeaders): number {
    return verifyIdentity(FORM, this.#secrets, this.#clock, headers);
  }
}
