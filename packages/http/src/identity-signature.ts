import { createHmac, timingSafeEqual } from 'node:crypto';
import { WherryError, systemClock, type Clock } from '@wherry/core';
import { IDENTITY_HEADERS, SIGNATURE_HEADER, type IdentityHeaders, type IncomingHeaders } from './identity-headers.ts';

/** A secret that gateway and back ends share: text or bytes, at least 32 bytes. */
export type IdentitySecret = string | Uint8Array;

/** Options of {@link IdentitySigner}. */
export interface IdentitySignerOptions {
  /** The first one signs, each one verifies: so a new secret is brought in everywhere before the old one goes. */
  readonly secrets: readonly IdentitySecret[];
  readonly clock?: Clock;
}

/** How far the two clocks and the way between may be apart, in milliseconds. */
const WINDOW_MS = 30_000;
const LEAST_SECRET_BYTES = 32;
const FORM = /^v1,(\d{13}),([A-Za-z0-9_-]{43})$/;
/** Fixed for ever within `v1`: the order in which headers go under the signature. */
const SIGNED = Object.values(IDENTITY_HEADERS).toSorted();

/**
 * Signs and verifies identity headers: `v1,<epoch ms>,<base64url of HMAC-SHA-256>` over the version, the time and each
 * identity header that is present, one a line. Header values hold no line break, so no two sets have the same lines.
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
    if (options.secrets.length === 0 || options.secrets.some((secret) => Buffer.byteLength(secret) < LEAST_SECRET_BYTES)) {
      throw new WherryError('config_invalid', `the secret for identity headers must have at least ${LEAST_SECRET_BYTES} bytes`);
    }
    this.#secrets = options.secrets;
    this.#clock = options.clock ?? systemClock;
  }

  /** The value of the signature header for `headers`. */
  sign(headers: IdentityHeaders): string {
    const time = String(Math.trunc(this.#clock.now())).padStart(13, '0');
    return `v1,${time},${digest(this.#secrets[0] ?? '', time, headers).toString('base64url')}`;
  }

  /** Accepts the request's identity headers. Errors: `unauthenticated` when the signature is missing, too old, from the future or wrong. */
  verify(headers: IncomingHeaders): void {
    const written = headers[SIGNATURE_HEADER];
    const [, time, signature] = (typeof written === 'string' ? FORM.exec(written) : null) ?? [];
    if (time === undefined || signature === undefined) throw refused('the identity headers are not signed');
    const given = Buffer.from(signature, 'base64url');
    // Every secret is tried, so that the time taken does not tell which one was right.
    const matches = this.#secrets.filter((secret) => timingSafeEqual(digest(secret, time, headers), given));
    if (matches.length === 0) throw refused('the signature of the identity headers is wrong');
    if (Math.abs(this.#clock.now() - Number(time)) > WINDOW_MS) throw refused('the signature of the identity headers is not of this time');
  }
}

function digest(secret: IdentitySecret, time: string, headers: IncomingHeaders): Buffer {
  const hmac = createHmac('sha256', secret).update(`v1\n${time}\n`);
  for (const name of SIGNED) {
    const value = headers[name];
    if (value !== undefined) hmac.update(`${name}:${String(value)}\n`);
  }
  return hmac.digest();
}

function refused(message: string): WherryError {
  return new WherryError('unauthenticated', message);
}
