const LONGEST = 2048;
/** Visible ASCII without a backslash, which the URL parser takes for a slash; it leaves out tabs and line breaks, too. */
const SOUND = /^https?:\/\/[!-[\]-~]+$/i;
const PERCENT = /%[0-9a-f]{2}/gi;
const UNRESERVED = /[A-Za-z0-9._~-]/;

/**
 * The one form of a target URI, its query and fragment left out: scheme and host in small letters, no default port, no
 * dot segments, nothing percent-encoded that need not be (RFC 9449 section 4.3 (9), RFC 3986 sections 6.2.2 and 6.2.3).
 * undefined for what is no absolute http or https URI, or names a user.
 */
export function normaliseTargetUri(text: string): string | undefined {
  if (text.length > LONGEST || !SOUND.test(text)) return undefined;
  const url = URL.parse(text);
  if (url === null || url.username !== '' || url.password !== '') return undefined;
  const path = url.pathname.replace(PERCENT, (octet) => {
    const character = String.fromCharCode(Number.parseInt(octet.slice(1), 16));
    return UNRESERVED.test(character) ? character : octet.toUpperCase();
  });
  return `${url.protocol}//${url.host}${path}`;
}
