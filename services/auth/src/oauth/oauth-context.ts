import type { Verifier } from '@wherry/tokens';
import type { ClientAssertions } from './client-assertion.ts';
import type { RenewalPort } from './renewal-port.ts';
import type { UsedOnce } from './used-once.ts';

/** What the endpoints under /oauth work with beside the rest. */
export interface OAuthContext {
  readonly issuer: string;
  /** Where clients reach this service, without a slash at the end; undefined: nobody has said. */
  readonly publicUrl: string | undefined;
  /** The service's own audience. */
  readonly audience: string;
  /** All that tokens may be issued for, the own included. */
  readonly audiences: ReadonlySet<string>;
  /** Judges tokens for any of them: those that are exchanged, asked about or revoked. */
  readonly verifier: Verifier;
  readonly assertions: ClientAssertions;
  readonly usedAssertions: UsedOnce;
  readonly renewal: RenewalPort | undefined;
}
