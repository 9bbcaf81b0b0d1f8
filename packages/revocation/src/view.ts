/**
 * What has ended, as this process knows it. Synchronous and cheap: it is asked for every request. The answers are true
 * up to `staleMs` ago; whoever needs a bound asks for it.
 */
export interface RevocationView {
  /** True when the session with this id (`sid`, decimal text) was ended. */
  isSessionEnded(sid: string): boolean;
  /** Sessions and tokens of a lower generation than this are ended; 0 where nothing was ever raised. */
  minimumGeneration(userId: string): number;
  /** Tokens issued at or before this second (NumericDate) are ended; 0 where there is no such bound. */
  readonly issuerNotBefore: number;
  /** Rises with every change; a cached judgement of an older version has to be made again. */
  readonly version: number;
  /** Milliseconds since the last moment of which it is proved that nothing was missed. */
  readonly staleMs: number;
}
