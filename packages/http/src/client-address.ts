import { BlockList, isIP, isIPv6 } from 'node:net';
import { WherryError } from '@wherry/core';

/** Names for ranges of addresses (RFC 1122, 1918, 3927, 4193, 4291). */
const RANGES: Readonly<Record<string, readonly string[]>> = {
  loopback: ['127.0.0.0/8', '::1/128'],
  private: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '169.254.0.0/16', 'fc00::/7', 'fe80::/10'],
};

/** What `trustedProxies` takes, for people. */
const TRUSTED_PROXY_RULE = 'loopback, private, an IP address or a range as 10.1.0.0/16';

/** The addresses of proxies whose X-Forwarded-For is believed. */
export class TrustedProxies {
  readonly #list = new BlockList();

  /** Errors: `config_invalid` for an entry that is none of these: `loopback`, `private`, an address, a range in CIDR form. */
  constructor(entries: readonly string[]) {
    for (const entry of entries.flatMap((name) => RANGES[name] ?? [name])) this.#add(entry);
  }

  has(address: string): boolean {
    const plain = plainAddress(address);
    return isIP(plain) !== 0 && this.#list.check(plain, familyOf(plain));
  }

  #add(entry: string): void {
    const [address = '', bits] = entry.split('/');
    const most = isIPv6(address) ? 128 : 32;
    if (isIP(address) === 0 || (bits !== undefined && !(/^\d{1,3}$/.test(bits) && Number(bits) <= most)))
      throw new WherryError('config_invalid', `a trusted proxy is ${JSON.stringify(entry.slice(0, 60))}; allowed is ${TRUSTED_PROXY_RULE}`);
    if (bits === undefined) this.#list.addAddress(address, familyOf(address));
    else this.#list.addSubnet(address, Number(bits), familyOf(address));
  }
}

/** Where a request came from. */
export interface AddressSource {
  /** The other end of the connection. */
  readonly peer: string | undefined;
  /** All X-Forwarded-For lines, joined by commas. */
  readonly forwardedFor: string | undefined;
}

/** Longest chain of proxies that is followed. */
const MAX_HOPS = 32;

/**
 * What a request is counted under, as {@link countedAddress} has it: the other end of its connection, or where that is a
 * trusted proxy, the last address of X-Forwarded-For that is none. Whatever a client writes stands before what the first
 * proxy of ours adds, so it is not reached. undefined: not known.
 */
export function clientAddress({ peer, forwardedFor }: AddressSource, proxies: TrustedProxies): string | undefined {
  if (peer === undefined) return undefined;
  if (forwardedFor === undefined || !proxies.has(peer)) return countedAddress(peer, proxies);
  let end = forwardedFor.length;
  for (let hop = 0; hop < MAX_HOPS && end >= 0; hop++) {
    const comma = end === 0 ? -1 : forwardedFor.lastIndexOf(',', end - 1);
    const address = forwardedFor.slice(comma + 1, end).trim();
    if (!proxies.has(address)) return countedAddress(address, proxies);
    end = comma;
  }
  return undefined;
}

/**
 * What requests from `address` are counted under: IPv4 whole, of IPv6 the 64 bits of its network, because a customer has
 * all addresses below. undefined for a proxy of ours that does not say whom it stands for, and for what is no address.
 */
export function countedAddress(address: string, proxies: TrustedProxies): string | undefined {
  const plain = plainAddress(address);
  if (isIP(plain) === 0 || proxies.has(plain)) return undefined;
  if (!isIPv6(plain)) return plain;
  // The URL's host has one form of each address (RFC 5952), without a zone.
  const [left = '', right] = new URL(`http://[${plain.split('%')[0]}]`).hostname.slice(1, -1).split('::');
  const [head, tail] = [left, right ?? ''].map((text) => (text === '' ? [] : text.split(':')));
  const zeros = right === undefined ? 0 : 8 - (head?.length ?? 0) - (tail?.length ?? 0);
  return [...(head ?? []), ...Array.from({ length: zeros }, () => '0'), ...(tail ?? [])].slice(0, 4).join(':');
}

/** The address alone: without the port that some proxies add (Azure, IIS), and an IPv4 one that came over an IPv6 socket as itself. */
function plainAddress(text: string): string {
  const address = /^\[([^\]]+)\](?::\d{1,5})?$/.exec(text)?.[1] ?? /^(\d{1,3}(?:\.\d{1,3}){3}):\d{1,5}$/.exec(text)?.[1] ?? text;
  return /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/i.exec(address)?.[1] ?? address;
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIPv6(address) ? 'ipv6' : 'ipv4';
}
