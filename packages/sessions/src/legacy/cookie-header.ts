/**
 * The value of cookie `name` as the package `cookie` (0.7, which express-session uses) picks it from a Cookie header:
 * of several cookies of one name the first one, white space and one pair of quotes removed, percent-decoded where that
 * works and left as it is where it does not. undefined: there is none. Browsers send duplicates legally (RFC 6265
 * section 5.4 orders them by path), so our pick has to be the application's own.
 */
export function cookieValue(header: string, name: string): string | undefined {
  if (header.length < 2) return undefined;
  for (let index = 0; index < header.length;) {
    const equals = header.indexOf('=', index);
    if (equals < 0) return undefined;
    const semicolon = header.indexOf(';', index);
    const end = semicolon < 0 ? header.length : semicolon;
    if (equals > end) {
      // A piece without an equals sign is no cookie.
      index = semicolon + 1;
      continue;
    }
    if (trim(header, index, equals) === name) return decode(unquote(trim(header, equals + 1, end)));
    index = end + 1;
  }
  return undefined;
}

/** Spaces and tabs only: other white space belongs to the value. */
function trim(text: string, start: number, end: number): string {
  let from = start;
  let to = end;
  while (from < to && isBlank(text.charCodeAt(from))) from++;
  while (to > from && isBlank(text.charCodeAt(to - 1))) to--;
  return text.slice(from, to);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

function unquote(value: string): string {
  return value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
}

function decode(value: string): string {
  if (!value.includes('%')) return value;
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
