/** What a change ends or, for `disabled`, begins and ends. */
export type RevocationKind = 'session' | 'session_tokens' | 'family' | 'token' | 'user' | 'disabled' | 'issuer';

/** One durable change, as it is told to those who need not wait for the feed. Kind, key and value are those of the row. */
export interface RevocationChange {
  readonly kind: RevocationKind;
  /** session, session_tokens: the row's id · family: its id · token: `jti` · user, disabled: the user id · issuer: `*` */
  readonly key: string;
  /** session, family, token: no meaning · session_tokens: not-before, epoch seconds · user: least generation · disabled: 1 or 0 · issuer: not-before, epoch seconds */
  readonly value: number;
  readonly seq: bigint;
}
