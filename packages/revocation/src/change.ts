/** What a change ends or, for `disabled`, begins and ends. */
export type RevocationKind = 'session' | 'token' | 'user' | 'disabled' | 'issuer';

/** One durable change, as it is told to those who need not wait for the feed. Kind, key and value are those of the row. */
export interface RevocationChange {
  readonly kind: RevocationKind;
  /** session: the row's id · token: `jti` · user, disabled: the user id · issuer: `*` */
  readonly key: string;
  /** session, token: no meaning · user: least generation · disabled: 1 or 0 · issuer: not-before, epoch seconds */
  readonly value: number;
  readonly seq: bigint;
}
