import { createHmac, timingSafeEqual } from 'node:crypto';
import { WherryError, type Clock } from '@wherry/core';
import { SIGNATURE_HEADER, type IncomingHeaders } from './identity-headers.ts';

/** A secret that two sides share: text or bytes, at least 32 bytes. */
export type IdentitySecret = string | Uint8Array;

/** What a signature covers: its version, and the headers that go under it, in this order for ever. */
export interface SignedForm {
  readonly version: 'v1' | 'v2';
  readonly headers: readonly string[];
}

/** How far the two clocks and the way between may be apart, in milliseconds. */
export const SIGNATURE_WINDOW_MS = 30_000;
const LEAST_SECRET_BYTES = 32;
const WRITTEN = /^(v[12]),(\d{13}),([A-Za-z0-9_-]{43})$/;

/** Secrets given singly or as a list, checked. Errors: `config_invalid` without one or with one that is too short. */
export function secretsOf(given: IdentitySecret | readonly IdentitySecret[]): readonly IdentitySecret[] {
  const secrets = typeof given === 'string' || given instanceof Uint8Array ? [given] : given;
  if (secrets.length === 0 || secrets.some((secret) => Buffer.byteLength(secret) < LEAST_SECRET_BYTES)) {
    throw new WherryError('config_invalid', `the secret for identity headers must have at least ${LEAST_SECRET_BYTES} bytes`);
  }
  return secrets;
}

/**
 * The value of the signature header: `<version>,<epoch ms>,<base64url of HMAC-SHA-256>` over the version, the time and
 * each header of the form that is present, one a line. Header values hold no line break, so no two sets have the same lines.
 */
export function signIdentity(form: SignedForm, secret: IdentitySecret, now: number, headers: IncomingHeaders): string {
  const time = String(Math.trunc(now)).padStart(13, '0');
  return `${form.version},${time},${digest(form, secret, time, headers).toString('base64url')}`;
}

/**
 * When the headers were signed, epoch milliseconds. Errors: `unauthenticated` when the signature is missing, too old,
 * from the future, of another form or wrong under each of `secrets`.
 */
export function verifyIdentity(form: SignedForm, secrets: readonly IdentitySecret[], clock: Clock, headers: IncomingHeaders): number {
  const written = headers[SIGNATURE_HEADER];
  const [, version, time, signature] = (typeof written === 'string' ? WRITTEN.exec(written) : null) ?? [];
  if (version !== form.version || time === undefined || signature === undefined) throw refused('the identity headers are not signed');
  const given = Buffer.from(signature, 'base64url');
  // Every secret is tried, so that the time taken does not tell which one was right.
  const matches = secrets.filter((secret) => timingSafeEqual(digest(form, secret, time, headers), given));
  if (matches.length === 0) throw refused('the signature of the identity headers is wrong');
  const signedAt = Number(time);
  if (Math.abs(clock.now() - signedAt) > SIGNATURE_WINDOW_MS) throw refused('the signature of the identity headers is not of this time');
  return signedAt;
}

function digest(form: SignedForm, secret: IdentitySecret, time: string, headers: IncomingHeaders): Buffer {
  const hmac = createHmac('sha256', secret).update(`${form.version}\n${time}\n`);
  for (const name of form.headers) {
    const value = headers[name];
    if (value !== undefined) hmac.update(`${name}:${String(value)}\n`);
  }
  return hmac.digest();
}

function refused(message: string): WherryError {
  return new WherryError('unauthenticated', message);
}
