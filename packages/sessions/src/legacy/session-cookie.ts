/** What a Cookie header says of the legacy session. */
export type CookieReading =
  | { readonly outcome: 'verified'; readonly rawId: string }
  /** No such cookie, or an empty one: a request without a session. */
  | { readonly outcome: 'absent' }
  /** A cookie that the application itself would not accept. */
  | { readonly outcome: 'invalid'; readonly reason: 'too_long' | 'unsigned' | 'signature' | 'malformed' };

/** The cookie by which the application's clients name their session. It reads what the application would accept, and nothing else. */
export interface SessionCookie {
  readonly name: string;
  /**
   * True: what `read` answers as verified was signed by the application, so nobody can make one up. False: anybody can, so
   * who looks one up has to bound how often.
   */
  readonly signed: boolean;
  /** The session id that the Cookie header of a request carries: the canonical one, as the source knows it. */
  read(header: string | undefined): CookieReading;
  /** The same of a value by itself, percent-decoded already; `invalid` where a value alone cannot prove it. */
  verify(value: string): CookieReading;
  /** What a Cookie header has to hold for session `rawId`: `name=value`, or several of them joined by `; `. */
  build(rawId: string): string;
}

/** How an application makes its session cookie. */
export interface SessionCookieOptions {
  /** Name of the cookie; absent: the software's own. */
  readonly name?: string;
  /** The application's secrets: the first one signs, all of them verify, so that a secret can be exchanged. Empty where nothing is signed. */
  readonly secrets: readonly string[];
}
