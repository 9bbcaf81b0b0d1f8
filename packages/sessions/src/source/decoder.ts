/** Who a session belongs to, taken from its attributes. */
export interface SessionIdentity {
  /** null: nobody has signed in to it. */
  readonly userId: string | null;
  readonly username: string | null;
  readonly authorities: readonly string[];
}

/** A decoded session value. Times in epoch milliseconds. */
export interface DecodedSession extends SessionIdentity {
  /** The whole session as JSON text, fit to be given back to the application. */
  readonly attributes: string;
  /** How long an untouched session lives, ms; null: it has no idle time of its own. */
  readonly idleMs: number | null;
  /** When it began, where the session itself says so; source's clock. */
  readonly createTime?: number;
  /** Where the session itself says when it ends: it lives until then at the latest, whatever its store says; source's clock. */
  readonly expireTime?: number;
  /** True: nobody but the application writes `expireTime`, so no touch gets past it. */
  readonly expireTimeFixed?: boolean;
  /** What the session holds as plain values, for reports, where `attributes` do not show it. What occurs again in it is a `Reference`. */
  readonly tree?: object;
}

/**
 * Why a value could not be decoded: a stable reason and words without any of its content. `malformed`: of a binary form
 * that is broken; `type_refused`: it holds a type that is not on the list of what may be read.
 */
export interface Undecodable {
  readonly reason: 'too_large' | 'too_deep' | 'not_json' | 'malformed' | 'type_refused' | 'not_a_session' | 'identity_invalid';
  readonly detail: string;
}

/** Decodes stored text. Structure only: nothing is ever executed, and size and depth are capped. */
export type SessionDecoder = (
  value: string,
) => { readonly ok: true; readonly session: DecodedSession } | { readonly ok: false; readonly why: Undecodable };
