/** How many visitors a run has. */
export const VISITORS = 3;

/** How a visitor signs in: at auth with a password, or at the application that was there before. */
export type Kind = 'native' | 'cookie';

/** What is presented to a gateway. `both`: the access token and the cookie, as browsers do. */
export type Presented = 'jwt' | 'session' | 'both' | 'renewed';

/** One step of a run. `gateway` and `auth`: which of the two is asked first; `lost`: its answer does not arrive. */
export type Step =
  | { readonly step: 'operate'; readonly act: OperatorAct }
  | { readonly step: 'hold' | 'lapse' | 'mend'; readonly node: number }
  | { readonly step: 'log-in'; readonly visitor: number; readonly auth: number }
  | { readonly step: 'request'; readonly visitor: number; readonly gateway: number; readonly presented: Presented; readonly lost: boolean }
  | { readonly step: 'exchange' | 'renew'; readonly visitor: number; readonly auth: number; readonly lost: boolean }
  | { readonly step: 'age' | 'forget-session' | 'get-in'; readonly visitor: number; readonly gateway: number }
  | { readonly step: 'log-out'; readonly visitor: number; readonly auth: number; readonly everywhere: boolean };

/** What an operator does. `life-passes`: so much time that every session of now has run out. */
export type OperatorAct =
  | { readonly act: 'advance' | 'rollback' | 'settle' | 'retire' | 'life-passes' }
  | { readonly act: 'set-percent'; readonly percent: number };

/** What a run does. */
export interface Plan {
  readonly kinds: readonly Kind[];
  /** Who has exchanged his session before it begins. */
  readonly exchanged: readonly boolean[];
  /** How many steps forward the rollout is when it begins, each settled: 0 stateful … 4 drain. */
  readonly start: number;
  /** How long a client must have used no session token before its own is refused in drain, milliseconds. */
  readonly quietMs: number;
  readonly steps: readonly Step[];
}
