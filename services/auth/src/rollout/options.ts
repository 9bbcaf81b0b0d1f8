import type { ClientNamingOptions } from '@wherry/rollout';

/** What the service does for the rollout. Times in epoch milliseconds, lengths in milliseconds. */
export interface RolloutOptions {
  /** How clients are named in reports; those that the service knows may name themselves in any case. */
  readonly userAgents?: NonNullable<ClientNamingOptions['userAgents']>;
  /** Since when session credentials are deprecated (RFC 9745); absent: since 1970, which says no more than that they are. */
  readonly deprecatedAt?: number;
  /** When they will stop to be accepted (RFC 8594); absent: not told. */
  readonly sunsetAt?: number;
  /** Address of the guide for client teams; absent: not told. */
  readonly guideUrl?: string;
  /** Looks after the rollout: settles its phases, holds it and takes it back. Absent: this instance does not. */
  readonly guard?: { readonly everyMs?: number; readonly windowMs?: number };
}
