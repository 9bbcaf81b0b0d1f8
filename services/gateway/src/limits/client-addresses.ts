import { clientAddress, type TrustedProxies, type UnnamedProxy } from '@wherry/http';

/** The other end of a connection; a socket is one. */
export interface Peer {
  readonly remoteAddress?: string | undefined;
}

/** Most answers that are remembered of each kind. */
const MOST = 10_000;
/** Longer ones are read anew each time. */
const LONGEST = 100;
const NAME = 'x-forwarded-for';

/** Under which address requests are counted. Reading an address costs more than counting under it, so it is read once. */
export class ClientAddresses {
  readonly #proxies: TrustedProxies;
  readonly #unnamed: UnnamedProxy | undefined;
  /** null: a proxy of ours, which is counted under nothing where it does not say whom it stands for. */
  readonly #peers = new Map<string, string | null | undefined>();
  readonly #forwarded = new Map<string, string | undefined>();

  /** `unnamed` is told of peers that are no proxies of ours; absent where the operator has named his. */
  constructor(proxies: TrustedProxies, unnamed: UnnamedProxy | undefined) {
    this.#proxies = proxies;
    this.#unnamed = unnamed;
  }

  /** As `clientAddress` has it; undefined: not known. */
  of({ remoteAddress: peer }: Peer, rawHeaders: readonly string[]): string | undefined {
    if (peer === undefined) return undefined;
    const known = this.#peers.get(peer);
    if (typeof known === 'string') return known;
    const forwardedFor = forwardedForOf(rawHeaders);
    if (known === null && forwardedFor === undefined) return undefined;
    if (known === undefined && !this.#proxies.has(peer)) {
      this.#unnamed?.notice({ peer, forwardedFor });
      const address = clientAddress({ peer, forwardedFor }, this.#proxies);
      remember(this.#peers, peer, address);
      return address;
    }
    if (known === undefined) remember(this.#peers, peer, null);
    // What is behind a proxy of ours does not depend on which one it is.
    if (forwardedFor === undefined || forwardedFor.length > LONGEST) return clientAddress({ peer, forwardedFor }, this.#proxies);
    if (this.#forwarded.has(forwardedFor)) return this.#forwarded.get(forwardedFor);
    const address = clientAddress({ peer, forwardedFor }, this.#proxies);
    remember(this.#forwarded, forwardedFor, address);
    return address;
  }
}

function remember<T>(memory: Map<string, T>, key: string, address: T): void {
  if (memory.size >= MOST) memory.clear();
  // A part of a text keeps the whole text alive, the bytes of a request.
  memory.set(Buffer.from(key, 'latin1').toString('latin1'), address);
}

function forwardedForOf(rawHeaders: readonly string[]): string | undefined {
  let found: string | undefined;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string;
    if (name.length !== NAME.length || name.toLowerCase() !== NAME) continue;
    const value = rawHeaders[at + 1] as string;
    found = found === undefined ? value : `${found},${value}`;
  }
  return found;
}
