/**
 * What must not reach a log, found in two ways: by the name of a field, and by the shape of a text. The second is the
 * net below: messages and causes come from drivers that quote what they were given.
 */
const SECRET_NAME =
  /(?:authorization|cookies?|passwords?|passphrase|secrets?|tokens?|credentials?|(?:private|master|api|signing|sourceref)keys?|rawids?|sourcesessionid)$/;

const SECRET_SHAPES: readonly (readonly [RegExp, string])[] = [
  // User information of a URL (RFC 3986 section 3.2.1).
  [/(\b[a-z][a-z0-9+.-]*:\/\/)[^\s/@'"]+@/gi, '$1[secret]@'],
  // A JWT: its header begins with `{"`.
  [/\beyJ[\w-]{8,}\.[\w-]*(?:\.[\w-]*)?/g, '[secret]'],
  // A session token of ours.
  [/\bst_[\w-]{16,}/g, '[secret]'],
  // The key of an application for source refs.
  [/\bsrk1\.[\w-]{16,}/g, '[secret]'],
  // A signed cookie of express-session, percent-encoded or not.
  [/\bs(?::|%3A)[\w-]{16,}\.[\w+/%-]{16,}/gi, '[secret]'],
  // An Authorization header (RFC 9110 section 11.6.2).
  [/\b(bearer|basic|dpop) +[\w~+/.=-]{8,}/gi, '$1 [secret]'],
];

/** Stands where a secret was. */
export const CENSORED = '[secret]';

/** True when a field of this name holds a secret, in whatever spelling: `accessToken`, `access_token`, `Set-Cookie`. */
export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name.replaceAll(/[^a-z]/gi, '').toLowerCase());
}

/** `text` with everything replaced that has the shape of a secret. */
export function withoutSecrets(text: string): string {
  return SECRET_SHAPES.reduce((clean, [shape, replacement]) => clean.replaceAll(shape, replacement), text);
}
