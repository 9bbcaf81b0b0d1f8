/** How a server reads cookies, where servers differ. */
export interface CookieRules {
  /** Which of several cookies of one name counts. */
  readonly pick: 'first' | 'last';
  /** Whether values are percent-decoded. */
  readonly percent: boolean;
  /** Whether quotes around a value are taken off. */
  readonly quotes: boolean;
  /** Whether blanks after a value belong to it. */
  readonly keepsBlanks: boolean;
}

/** php-src main/php_variables.c: the first one counts, percent-decoded, nothing trimmed but what stands before the name. */
export const PHP_COOKIES: CookieRules = { pick: 'first', percent: true, quotes: false, keepsBlanks: true };
/** django.http.cookie.parse_cookie: the last one counts, unquoted, not percent-decoded. */
export const DJANGO_COOKIES: CookieRules = { pick: 'last', percent: false, quotes: true, keepsBlanks: false };

/** The package `cookie`, and most others: the first one counts, unquoted and percent-decoded. */
export const USUAL_COOKIES: CookieRules = { pick: 'first', percent: true, quotes: true, keepsBlanks: false };

/** The package `cookies`, which Koa uses: the first one counts, unquoted, not percent-decoded. */
export const KOA_COOKIES: CookieRules = { pick: 'first', percent: false, quotes: true, keepsBlanks: true };

/** The value of cookie `name` as a server of these rules takes it from a Cookie header; undefined: there is none. */
export function cookiePick(header: string, name: string, rules: CookieRules): string | undefined {
  let found: string | undefined;
  for (const piece of header.split(';')) {
    const equals = piece.indexOf('=');
    const before = rules.keepsBlanks ? piece.slice(0, equals).trimStart() : piece.slice(0, equals).trim();
    if (equals < 0 || before !== name) continue;
    if (found === undefined || rules.pick === 'last') found = piece.slice(equals + 1);
  }
  return found === undefined ? undefined : read(found, rules);
}

function read(value: string, { percent, quotes, keepsBlanks }: CookieRules): string {
  let text = keepsBlanks ? value : value.trim();
  if (quotes && text.length > 1 && text.startsWith('"') && text.endsWith('"')) text = text.slice(1, -1);
  if (!percent || !text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
