/** How a session was ended by its user. Times in epoch milliseconds, here and below. */
export interface Ending {
  readonly by: 'log-out' | 'rotation';
  /** When the request that ends it was sent for the first time. */
  readonly startedAt: number;
  /** When the server's word that it has ended arrived; undefined: no word (yet). */
  readonly acknowledgedAt: number | undefined;
}

/** One signed-in session as its user knows it. */
export interface SessionFacts {
  /** Digest of the canonical session id. */
  readonly id: string;
  readonly userId: string;
  readonly username: string;
  /** What the server said at log-in: roles and permissions. */
  readonly authorities: readonly string[];
  /** `hand-over`: begun without a cookie, so its id is of the server's name for it, and the target cannot be asked for it. */
  readonly origin: 'seed' | 'log-in' | 'rotation' | 'hand-over';
  readonly beganAt: number;
  /** Idle life: how far a touch moves the expiry, milliseconds. */
  readonly ttlMs: number;
  /** The earliest moment at which it may expire. */
  readonly expectedExpiry: number;
  readonly ending: Ending | undefined;
}

/** What a virtual user was doing. */
export type Act = 'log-in' | 'whoami' | 'me' | 'cart' | 'rotate' | 'log-out' | 'replay' | 'exchange' | 'renew' | 'probe' | 'old-cookie';

/** What a request was sent with. */
export type CredentialKind = 'cookie' | 'jwt' | 'renewal';

/** One request with its final answer. */
export interface RequestFacts {
  readonly session: string;
  readonly act: Act;
  readonly kind: CredentialKind;
  /** Digest of the credential sent. */
  readonly credential: string;
  /** When the attempt that brought the final answer was sent, and when its answer had arrived. */
  readonly startedAt: number;
  readonly endedAt: number;
  /** HTTP status; 0: no answer. */
  readonly status: number;
  /** 1, and one more for every repeat after a 503 or a lost connection. */
  readonly attempts: number;
  /** Who the server said the user is, where the answer says so. */
  readonly userId?: string;
  readonly authorities?: readonly string[];
  /** The session's expected expiry when the request was sent. */
  readonly expectedExpiry: number;
  /** True when this request was to end the session. */
  readonly ends?: boolean;
  /** A JWT was refused, exchanged once, and the request repeated; `expired`: its life was over. */
  readonly exchanged?: 'expired' | 'unexpired';
  /** A renewal was refused, and one exchange of the cookie gave a token all the same. */
  readonly recovered?: true;
  /**
   * A credential that has to be refused though its session lives: a token that the client mutilated, a renewal credential
   * whose successor has been used, or a cookie after the server has said that it takes none any more.
   */
  readonly unfit?: 'mutilated' | 'superseded' | 'retired';
}
