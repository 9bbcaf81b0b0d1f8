/** How requests that do not say who they are by their credential are told apart. */
export interface ClientNamingOptions {
  /** Clients that may name themselves in `idHeader`; others are `public`, so that nobody can make up names without end. */
  readonly clients: readonly string[];
  /** Header with the client's id, lower case; default `x-client-id`. */
  readonly idHeader?: string;
  /** Header with the client's version, lower case; default `x-client-version`. */
  readonly versionHeader?: string;
  /** Products in `User-Agent` (RFC 9110 section 10.1.5), each standing for a client; the first that fits decides. */
  readonly userAgents?: readonly UserAgentRule[];
}

/** `ShopApp/4.2 (…)` with the rule `{ product: 'ShopApp', client: 'shop-ios' }` is `shop-ios`, version `4.2`. */
export interface UserAgentRule {
  /** Name of the product, compared exactly. */
  readonly product: string;
  readonly client: string;
}

/** A client as reports know it. */
export interface NamedClient {
  readonly clientId: string;
  /** Empty where it is not known. */
  readonly version: string;
}

/** The client id of requests that do not tell; the same that auth puts into their tokens. */
export const UNKNOWN_CLIENT = 'public';

const VERSION = /^[\w.+-]{1,32}$/;

/** Names the clients of requests: from what their credential says, else from headers. Nothing here is believed for access, only for reports. */
export class ClientNaming {
  readonly #clients: ReadonlySet<string>;
  readonly #idHeader: string;
  readonly #versionHeader: string;
  readonly #rules: readonly UserAgentRule[];

  constructor(options: ClientNamingOptions) {
    this.#clients = new Set([...options.clients, ...(options.userAgents ?? []).map(({ client }) => client)]);
    this.#idHeader = options.idHeader ?? 'x-client-id';
    this.#versionHeader = options.versionHeader ?? 'x-client-version';
    this.#rules = options.userAgents ?? [];
  }

  /** The client of a request. `rawHeaders`: names and values in turn. `known`: what its credential says of it. */
  name(rawHeaders: readonly string[], known: string | undefined): NamedClient {
    let id: string | undefined;
    let version: string | undefined;
    let agent: string | undefined;
    for (let at = 0; at < rawHeaders.length; at += 2) {
      const name = rawHeaders[at]?.toLowerCase();
      if (name === this.#idHeader) id ??= rawHeaders[at + 1];
      else if (name === this.#versionHeader) version ??= rawHeaders[at + 1];
      else if (name === 'user-agent') agent ??= rawHeaders[at + 1];
    }
    const product = agent === undefined ? undefined : this.#product(agent);
    const named = id !== undefined && this.#clients.has(id) ? id : product?.clientId;
    return {
      clientId: known ?? named ?? UNKNOWN_CLIENT,
      version: checkedVersion(version) ?? (product !== undefined && product.clientId === (known ?? named) ? product.version : ''),
    };
  }

  /** The first product of a header that a rule stands for. Linear in the header's length. */
  #product(agent: string): NamedClient | undefined {
    if (this.#rules.length === 0) return undefined;
    const products = agent.split(' ', 16).map((word) => {
      const slash = word.indexOf('/');
      return slash < 0 ? { product: word, version: '' } : { product: word.slice(0, slash), version: word.slice(slash + 1) };
    });
    for (const { product, client } of this.#rules) {
      const found = products.find((entry) => entry.product === product);
      if (found !== undefined) return { clientId: client, version: checkedVersion(found.version) ?? '' };
    }
    return undefined;
  }
}

function checkedVersion(version: string | undefined): string | undefined {
  return version !== undefined && VERSION.test(version) ? version : undefined;
}
