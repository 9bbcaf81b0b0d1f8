/**
 * What has ended, as this process knows it. Synchronous and cheap: it is asked for every request. The answers are true
 * up to `staleMs` ago; whoever needs a bound asks for it.
 */
export interface RevocationView {
  /** True when the session with this id (`sid`, decimal text) was ended. */
  isSessionEnded(sid: string): boolean;
  /** True when the one token with this `jti` was ended. Absent: this view knows of no single tokens. */
  isTokenEnded?(jti: string): boolean;
  /**
   * True when the family of refresh tokens with this id (`fam`, decimal text) was ended: with it end all access tokens that
   * it gave, and those that were made from them. Absent: this view knows of no families.
   */
  isFamilyEnded?(fam: string): boolean;
  /**
   * Tokens that name this session and were issued at or before this second (NumericDate) are ended, while the session
   * lives on: it has another user or other authorities than they say. 0 where there is no such bound. Whoever reads a
   * session to issue a token for it asks before the reading, and issues it later than this. Absent: there are no such bounds.
   */
  sessionTokensNotBefore?(sid: string): number;
  /**
   * Sessions and tokens of a lower generation than this are ended; 0 where nothing was ever raised. Infinity while the
   * user is disabled: nothing that he has or gets is alive, whatever generation it says.
   */
  minimumGeneration(userId: string): number;
  /** True while the user is kept out: whoever lets users in or gives out tokens refuses with `user_disabled`. Absent: nobody is. */
  isUserDisabled?(userId: string): boolean;
  /** Tokens issued at or before this second (NumericDate) are ended; 0 where there is no such bound. */
  readonly issuerNotBefore: number;
  /** Rises with every change; a cached judgement of an older version has to be made again. */
  readonly version: number;
  /** Milliseconds since the last moment of which it is proved that nothing was missed. */
  readonly staleMs: number;
}
