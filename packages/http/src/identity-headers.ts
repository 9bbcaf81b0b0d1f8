import { WherryError } from '@wherry/core';
import { decodeList, decodeText, encodeList, encodeText } from './identity-encoding.ts';
import type { Principal } from './principal.ts';

/**
 * The headers in which the gateway tells a back end who is calling.
 *
 * Each value is percent-encoded UTF-8 (see `identity-encoding.ts`); authorities are a list with commas between. A back
 * end may believe them only if nobody but the gateway can send them: either it can be reached through the gateway alone
 * (a network of its own, a unix socket, mutual TLS at a sidecar), or it checks the signature (`identity-signature.ts`).
 * The gateway takes every header out of a request for which {@link isIdentityHeader} is true before it adds its own.
 */
export const IDENTITY_HEADERS: Readonly<Record<keyof Principal, string>> = {
  userId: 'x-wherry-user-id',
  authorities: 'x-wherry-authorities',
  kind: 'x-wherry-kind',
  sessionId: 'x-wherry-session',
  clientId: 'x-wherry-client',
  username: 'x-wherry-username',
};

/** Carries the proof that the gateway wrote the identity headers. */
export const SIGNATURE_HEADER = 'x-wherry-signature';

/** Identity headers by name, as they go on the wire. */
export type IdentityHeaders = Readonly<Record<string, string>>;

/** Headers of a request as node:http gives them: names in lower case. */
export type IncomingHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

const FOREIGN_SPELLING = /^x[^a-z0-9]+wherry[^a-z0-9]/i;

/**
 * True for a header that a client must not be able to bring past the gateway: whatever begins with `x-wherry-`, and
 * every spelling that a server behind may take for it. CGI, WSGI and PHP turn all that is not a letter or a digit into
 * one `_`, so `X_Wherry_User_Id` and `x.wherry.user.id` arrive there as the same variable.
 */
export function isIdentityHeader(name: string): boolean {
  return FOREIGN_SPELLING.test(name);
}

/** The headers that tell of `principal`. Errors: `unauthenticated` when a text of his has no UTF-8 form or the user id is empty. */
export function encodeIdentity(principal: Principal): IdentityHeaders {
  if (principal.userId === '') throw new WherryError('unauthenticated', 'the identity has no user id');
  const { sessionId, clientId, username } = principal;
  return {
    [IDENTITY_HEADERS.userId]: encodeText(principal.userId),
    [IDENTITY_HEADERS.authorities]: encodeList(principal.authorities),
    [IDENTITY_HEADERS.kind]: principal.kind,
    ...(sessionId === undefined ? {} : { [IDENTITY_HEADERS.sessionId]: encodeText(sessionId) }),
    ...(clientId === undefined ? {} : { [IDENTITY_HEADERS.clientId]: encodeText(clientId) }),
    ...(username === undefined ? {} : { [IDENTITY_HEADERS.username]: encodeText(username) }),
  };
}

/**
 * Who is calling, as the gateway says; undefined when the request has no identity header at all. Errors:
 * `unauthenticated` when some are there and they are incomplete, doubled or not as {@link encodeIdentity} writes them:
 * a request that claims an identity is never treated as one from nobody.
 */
export function decodeIdentity(headers: IncomingHeaders): Principal | undefined {
  const names = Object.values(IDENTITY_HEADERS);
  if (names.every((name) => headers[name] === undefined)) return undefined;
  const userId = textOf(headers, IDENTITY_HEADERS.userId);
  const kind = headers[IDENTITY_HEADERS.kind];
  const written = headers[IDENTITY_HEADERS.authorities];
  const authorities = typeof written === 'string' ? decodeList(written) : undefined;
  if (userId === undefined || userId === '') throw malformed(IDENTITY_HEADERS.userId);
  if (kind !== 'jwt' && kind !== 'session') throw malformed(IDENTITY_HEADERS.kind);
  if (authorities === undefined) throw malformed(IDENTITY_HEADERS.authorities);
  const sessionId = textOf(headers, IDENTITY_HEADERS.sessionId);
  const clientId = textOf(headers, IDENTITY_HEADERS.clientId);
  const username = textOf(headers, IDENTITY_HEADERS.username);
  return {
    userId,
    authorities,
    kind,
    ...(sessionId === undefined ? {} : { sessionId }),
    ...(clientId === undefined ? {} : { clientId }),
    ...(username === undefined ? {} : { username }),
  };
}

function textOf(headers: IncomingHeaders, name: string): string | undefined {
  const written = headers[name];
  if (written === undefined) return undefined;
  const text = typeof written === 'string' ? decodeText(written) : undefined;
  if (text === undefined) throw malformed(name);
  return text;
}

function malformed(header: string): WherryError {
  return new WherryError('unauthenticated', `the identity header ${header} is missing or malformed`, { data: { header } });
}
