import { createHash, timingSafeEqual } from 'node:crypto';
import { WherryError } from '@wherry/core';
import type { VerificationKey } from '@wherry/tokens';
import { readBasicCredentials } from './oauth/basic-credentials.ts';
import { readClientKeys, type ClientJwk } from './oauth/client-keys.ts';
import { DEFAULT_GRANTS, type GrantName } from './oauth/grant-types.ts';

/** An application that this service knows. With neither secret nor keys it is a public one, which can keep none (RFC 6749 section 2.1). */
export interface AuthClient {
  /** Printable ASCII without a colon. */
  readonly id: string;
  /** For client_secret_basic. */
  readonly secret?: string;
  /** Public keys that its assertions are verified by, for private_key_jwt. */
  readonly keys?: readonly ClientJwk[];
  /** True: it may use the operator's routes by its secret. */
  readonly operator?: boolean;
  /** True: it signs users in by itself, and is believed who they are; it needs a secret. */
  readonly assertsUsers?: boolean;
  /** What it may ask the token endpoint for; default `token-exchange` and `refresh_token`. */
  readonly grants?: readonly GrantName[];
  /** What its tokens may be good for; default the service's own audience. */
  readonly audiences?: readonly string[];
  /** What it may do in its own name, by `client_credentials`. */
  readonly authorities?: readonly string[];
  /** Longest life of a token of its own, seconds. */
  readonly tokenSeconds?: number;
}

/** A client as the endpoints see it. */
export interface RegisteredClient {
  readonly id: string;
  /** True: it has to prove who it is. */
  readonly confidential: boolean;
  readonly operator: boolean;
  readonly assertsUsers: boolean;
  readonly grants: ReadonlySet<GrantName>;
  /** undefined: the service's own audience. */
  readonly audiences: ReadonlySet<string> | undefined;
  readonly authorities: readonly string[];
  readonly tokenSeconds: number | undefined;
  readonly keys: readonly VerificationKey[];
}

/** The name in `client_id` of a client that says nothing of itself. */
export const ANONYMOUS_CLIENT = 'public';

/** Whoever says nothing of itself. */
const ANONYMOUS: RegisteredClient = registered({ id: ANONYMOUS_CLIENT });

/** The applications that this service knows, and how they prove who they are. */
export class Clients {
  readonly #clients = new Map<string, { readonly client: RegisteredClient; readonly digest: Buffer | undefined }>();
  readonly #operator: Buffer | undefined;
  /** Compared with where there is nothing to compare with, so that the time tells nothing. */
  readonly #nothing = digestOf('');

  /** Errors: `config_invalid` for an empty secret, a key that cannot be used, a bad id, or one that comes twice. */
  constructor(clients: readonly AuthClient[], operatorSecret?: string) {
    for (const client of clients) {
      if (!/^[\x21-\x39\x3b-\x7e]{1,64}$/.test(client.id)) throw invalid('a client id is not 1 to 64 printable characters without a colon');
      if (this.#clients.has(client.id)) throw invalid(`the client ${client.id} is there twice`);
      if (client.secret === '') throw invalid(`the client ${client.id} has an empty secret`);
      if (client.operator === true && client.secret === undefined) throw invalid(`the client ${client.id} is an operator without a secret`);
      if (client.assertsUsers === true && client.secret === undefined)
        throw invalid(`the client ${client.id} asserts users without a secret`);
      const entry = registered(client);
      if (entry.grants.has('client_credentials') && !entry.confidential)
        throw invalid(`the client ${client.id} is public, and so cannot have the grant client_credentials`);
      this.#clients.set(client.id, { client: entry, digest: client.secret === undefined ? undefined : digestOf(client.secret) });
    }
    if (operatorSecret === '') throw invalid('the operator secret is empty');
    this.#operator = operatorSecret === undefined ? undefined : digestOf(operatorSecret);
  }

  /**
   * The client that an Authorization header of scheme Basic proves (RFC 6749 section 2.3.1: id and secret are
   * form-encoded before they are joined). Constant time. Errors: `client_unauthenticated`.
   */
  authenticate(header: string): RegisteredClient {
    const given = readBasicCredentials(header);
    const known = given === undefined ? undefined : this.#clients.get(given.id);
    const same = timingSafeEqual(digestOf(given?.secret ?? ''), known?.digest ?? this.#nothing);
    if (!same || known?.digest === undefined) throw new WherryError('client_unauthenticated', 'client id or client secret is wrong');
    return known.client;
  }

  /** The client under this id, unproved. */
  find(id: string): RegisteredClient | undefined {
    return this.#clients.get(id)?.client;
  }

  /** The client that only says its name, or nothing. Errors: `client_unauthenticated` when it is not known or has to prove who it is. */
  named(id: string | undefined): RegisteredClient {
    if (id === undefined) return ANONYMOUS;
    const known = this.find(id);
    // One answer for both: the names of those who have secrets are not told.
    if (known === undefined || known.confidential)
      throw new WherryError(
        'client_unauthenticated',
        'no public client is registered under this client id, and no other one has authenticated',
      );
    return known;
  }

  /** The ids of all. */
  get ids(): readonly string[] {
    return [...this.#clients.keys()];
  }

  /** Every audience that some client may ask for. */
  get audiences(): ReadonlySet<string> {
    return new Set([...this.#clients.values()].flatMap(({ client }) => [...(client.audiences ?? [])]));
  }

  /** True for the operator's secret, in constant time. */
  isOperatorSecret(token: string): boolean {
    const same = timingSafeEqual(digestOf(token), this.#operator ?? this.#nothing);
    return same && this.#operator !== undefined;
  }
}

function registered(client: AuthClient): RegisteredClient {
  const {
    id,
    secret,
    keys,
    operator = false,
    assertsUsers = false,
    grants = DEFAULT_GRANTS,
    audiences,
    authorities = [],
    tokenSeconds,
  } = client;
  return {
    id,
    confidential: secret !== undefined || keys !== undefined,
    operator,
    assertsUsers,
    grants: new Set(grants),
    audiences: audiences === undefined ? undefined : new Set(audiences),
    authorities: [...new Set(authorities)],
    tokenSeconds,
    keys: keys === undefined ? [] : clientKeys(id, keys),
  };
}

function clientKeys(id: string, keys: readonly ClientJwk[]): readonly VerificationKey[] {
  try {
    return readClientKeys(keys);
  } catch (cause) {
    throw new WherryError('config_invalid', `the keys of the client ${id}: ${cause instanceof Error ? cause.message : 'not usable'}`, {
      cause,
    });
  }
}

/** Digests have one length, which the comparison needs and the secrets do not have. */
function digestOf(secret: string): Buffer {
  return createHash('sha256').update(secret, 'utf8').digest();
}

function invalid(message: string): WherryError {
  return new WherryError('config_invalid', message);
}
