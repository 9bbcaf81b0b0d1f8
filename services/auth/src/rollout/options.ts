import type { ClientNamingOptions, DeprecationOptions } from '@wherry/rollout';

/** What the service does for the rollout. Times in epoch milliseconds, lengths in milliseconds. */
export interface RolloutOptions extends DeprecationOptions {
  /** How clients are named in reports; those that the service knows may name themselves in any case. */
  readonly userAgents?: NonNullable<ClientNamingOptions['userAgents']>;
  /** Looks after the rollout: settles its phases, holds it and takes it back. Absent: this instance does not. */
  readonly guard?: { readonly everyMs?: number; readonly windowMs?: number };
}
