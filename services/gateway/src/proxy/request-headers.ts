import { WherryError } from '@wherry/core';
import { RENEWAL_COOKIE, isIdentityHeader, withoutCookie } from '@wherry/http';
import { connectionOptions, isHopByHop } from './hop-by-hop.ts';

/** What of a request becomes headers of the one to the upstream. */
export interface RequestHeaderOptions {
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
  /** Identity headers to add, names and values in turn. */
  readonly identity: readonly string[];
  readonly stripAuthorization: boolean;
  readonly trustForwarded: boolean;
  /** The client's address; absent on a connection that is gone. */
  readonly remoteAddress: string | undefined;
  readonly hasBody: boolean;
}

/** How the upstream learns where a request came from; `-` for whatever a server behind may take for it. */
const FORWARDED = /^(?:forwarded|x[^a-z0-9]+forwarded(?:[^a-z0-9].*)?|x[^a-z0-9]+(?:real[^a-z0-9]+ip|original[^a-z0-9]+ur[il]))$/;
const NONE: ReadonlySet<string> = new Set();

/**
 * The headers that go on, names and values in turn: the end-to-end ones in their order (RFC 9110 section 7.6.1), without
 * those that only the gateway may send, and with those. Errors: `bad_request` for two Host or Authorization lines, of
 * which each server believes another one.
 */
export function requestHeaders(options: RequestHeaderOptions): string[] {
  const { rawHeaders, identity, stripAuthorization, trustForwarded, hasBody } = options;
  const headers: string[] = [];
  const named = connectionOptions(rawHeaders) ?? NONE;
  let host: string | undefined;
  let authorized = false;
  let forwardedFor: string | undefined;
  let forwardedHost = false;
  let forwardedProto = false;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const written = rawHeaders[at] ?? '';
    const value = rawHeaders[at + 1] ?? '';
    const name = written.toLowerCase();
    if (name === 'host') {
      if (host !== undefined) throw new WherryError('bad_request', 'more than one Host header');
      host = value;
      headers.push('host', value);
      continue;
    }
    if (isHopByHop(name) || name === 'expect' || isIdentityHeader(name)) continue;
    if (name === 'authorization') {
      if (authorized) throw new WherryError('bad_request', 'more than one Authorization header');
      authorized = true;
      if (stripAuthorization) continue;
    }
    if (name === 'cookie') {
      // Whoever has it can renew: it is between the client and us.
      const left = withoutCookie(value, RENEWAL_COOKIE);
      if (left !== undefined) headers.push(written, left);
      continue;
    }
    // The body's length is the gateway's own business from here on; a stream without one is sent in chunks.
    if (name === 'content-length' && !hasBody) continue;
    if (named.has(name) && name !== 'content-length') continue;
    if (FORWARDED.test(name)) {
      if (!trustForwarded) continue;
      if (name === 'x-forwarded-for') {
        forwardedFor = forwardedFor === undefined ? value : `${forwardedFor}, ${value}`;
        continue;
      }
      forwardedHost ||= name === 'x-forwarded-host';
      forwardedProto ||= name === 'x-forwarded-proto';
    }
    headers.push(written, value);
  }
  const address = options.remoteAddress ?? 'unknown';
  headers.push('x-forwarded-for', forwardedFor === undefined ? address : `${forwardedFor}, ${address}`);
  if (!forwardedProto) headers.push('x-forwarded-proto', 'http');
  if (!forwardedHost && host !== undefined) headers.push('x-forwarded-host', host);
  headers.push(...identity);
  return headers;
}
