import { createHash, timingSafeEqual } from 'node:crypto';
import { WherryError } from '@wherry/core';

/** An application that this service knows. */
export interface AuthClient {
  /** Printable ASCII without a colon. */
  readonly id: string;
  /** Absent: a public client, which can keep no secret (RFC 6749 section 2.1). */
  readonly secret?: string;
  /** True: it may use the operator's routes. */
  readonly operator?: boolean;
}

/** The name in `client_id` of a client that says nothing of itself. */
export const ANONYMOUS_CLIENT = 'public';

/** The applications that this service knows, and how they prove who they are. */
export class Clients {
  readonly #clients = new Map<string, { readonly client: AuthClient; readonly digest: Buffer | undefined }>();
  readonly #operator: Buffer | undefined;
  /** Compared with where there is nothing to compare with, so that the time tells nothing. */
  readonly #nothing = digestOf('');

  /** Errors: `config_invalid` for an empty secret, a bad id, or one that comes twice. */
  constructor(clients: readonly AuthClient[], operatorSecret?: string) {
    for (const client of clients) {
      if (!/^[\x21-\x39\x3b-\x7e]{1,64}$/.test(client.id)) throw invalid('a client id is not 1 to 64 printable characters without a colon');
      if (this.#clients.has(client.id)) throw invalid(`the client ${client.id} is there twice`);
      if (client.secret === '') throw invalid(`the client ${client.id} has an empty secret`);
      if (client.operator === true && client.secret === undefined) throw invalid(`the client ${client.id} is an operator without a secret`);
      this.#clients.set(client.id, { client, digest: client.secret === undefined ? undefined : digestOf(client.secret) });
    }
    if (operatorSecret === '') throw invalid('the operator secret is empty');
    this.#operator = operatorSecret === undefined ? undefined : digestOf(operatorSecret);
  }

  /**
   * The client that an Authorization header of scheme Basic proves (RFC 6749 section 2.3.1: id and secret are
   * form-encoded before they are joined). Constant time. Errors: `client_unauthenticated`.
   */
  authenticate(header: string): AuthClient {
    const given = basicCredentials(header);
    const known = given === undefined ? undefined : this.#clients.get(given.id);
    const same = timingSafeEqual(digestOf(given?.secret ?? ''), known?.digest ?? this.#nothing);
    if (!same || known?.digest === undefined) throw new WherryError('client_unauthenticated', 'client id or client secret is wrong');
    return known.client;
  }

  /** The client that only says its name. Errors: `client_unauthenticated` when it is not known or has to prove who it is. */
  identify(id: string | undefined): string {
    if (id === undefined) return ANONYMOUS_CLIENT;
    const known = this.#clients.get(id);
    if (known === undefined) throw new WherryError('client_unauthenticated', 'no client is registered under this client id');
    if (known.digest !== undefined)
      throw new WherryError('client_unauthenticated', 'this client has to authenticate by client_secret_basic');
    return id;
  }

  /** True for the operator's secret, in constant time. */
  isOperatorSecret(token: string): boolean {
    const same = timingSafeEqual(digestOf(token), this.#operator ?? this.#nothing);
    return same && this.#operator !== undefined;
  }
}

function basicCredentials(header: string): { readonly id: string; readonly secret: string } | undefined {
  const encoded = /^basic +([A-Za-z0-9+/]+={0,2}) *$/i.exec(header)?.[1];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon < 0) return undefined;
  const id = formDecoded(text.slice(0, colon));
  const secret = formDecoded(text.slice(colon + 1));
  return id === undefined || secret === undefined ? undefined : { id, secret };
}

function formDecoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}

/** Digests have one length, which the comparison needs and the secrets do not have. */
function digestOf(secret: string): Buffer {
  return createHash('sha256').update(secret, 'utf8').digest();
}

function invalid(message: string): WherryError {
  return new WherryError('config_invalid', message);
}
