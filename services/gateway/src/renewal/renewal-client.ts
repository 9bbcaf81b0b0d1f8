import { SingleFlight, WherryError } from '@wherry/core';
import { Pool } from 'undici';

/** Options of {@link RenewalClient}. */
export interface RenewalClientOptions {
  /** Origin of the auth service. */
  readonly authUrl: string;
  /** Longest wait for its answer, milliseconds; default 3000. */
  readonly timeoutMs?: number;
  /** Most renewals under way; more are turned away rather than queued. Default 256. */
  readonly atOnce?: number;
}

/** What a renewal came to. `refused`: the credential is no good any more; the user has to sign in again or use his session. */
export type Renewal = Renewed | { readonly ok: false; readonly error: string };

/** A new access token and the credential for the next renewal. Both are secrets. Lives in seconds. */
export interface Renewed {
  readonly ok: true;
  readonly accessToken: string;
  readonly expiresIn: number;
  readonly credential: string;
  readonly credentialExpiresIn: number;
}

const LONGEST_BODY = 64 * 1024;

/**
 * Asks the auth service for renewals (RFC 6749 section 6). Requests that bring the same credential at the same time share
 * one question; across gateways the family's grace gives all of them the same successor.
 */
export class RenewalClient {
  readonly #pool: Pool;
  readonly #timeoutMs: number;
  readonly #atOnce: number;
  readonly #flights = new SingleFlight<string, Renewal>();

  constructor(options: RenewalClientOptions) {
    this.#timeoutMs = options.timeoutMs ?? 3000;
    this.#atOnce = options.atOnce ?? 256;
    this.#pool = new Pool(options.authUrl, { connections: 32, headersTimeout: this.#timeoutMs, bodyTimeout: this.#timeoutMs });
  }

  /** Renewals under way. */
  get underWay(): number {
    return this.#flights.size;
  }

  /**
   * Presents a renewal credential. Errors: `renewal_unavailable` when nobody can say, after which the credential is as good
   * as before: a repeat within the grace gets the same successor.
   */
  async renew(credential: string): Promise<Renewal> {
    if (this.#flights.size >= this.#atOnce) throw unavailable('too many renewals are under way');
    return this.#flights.run(credential, () => this.#ask(credential));
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }

  async #ask(credential: string): Promise<Renewal> {
    let status: number;
    let text: string;
    try {
      const answer = await this.#pool.request({
        method: 'POST',
        path: '/oauth/token',
        headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
        body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: credential }).toString(),
        signal: AbortSignal.timeout(this.#timeoutMs),
      });
      status = answer.statusCode;
      text = await answer.body.text();
    } catch (cause) {
      throw unavailable('the auth service does not answer', cause);
    }
    const said = text.length > LONGEST_BODY ? undefined : objectOf(text);
    if (status === 400 && said?.['error'] === 'invalid_grant') return { ok: false, error: textOf(said, 'code') ?? 'invalid_grant' };
    if (status !== 200 || said === undefined) throw unavailable(`the auth service answered ${status}`);
    return renewedOf(said);
  }
}

function renewedOf(said: Readonly<Record<string, unknown>>): Renewed {
  const accessToken = textOf(said, 'access_token');
  const credential = textOf(said, 'refresh_token');
  const expiresIn = said['expires_in'];
  const credentialExpiresIn = said['refresh_token_expires_in'];
  if (accessToken === undefined || credential === undefined || typeof expiresIn !== 'number' || typeof credentialExpiresIn !== 'number')
    throw unavailable('the auth service answered without a token');
  return { ok: true, accessToken, expiresIn, credential, credentialExpiresIn };
}

function textOf(said: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = said[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function objectOf(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function unavailable(message: string, cause?: unknown): WherryError {
  return new WherryError('renewal_unavailable', message, { retryAfter: 1, ...(cause === undefined ? {} : { cause }) });
}
