import type { Clock } from '@wherry/core';
import type { Verifier } from '@wherry/tokens';
import type { Clients } from '../clients.ts';
import type { AuthServiceOptions } from '../options.ts';
import { ClientAssertions } from './client-assertion.ts';
import { createProofs, type Proofs } from './dpop.ts';
import { publicUrlOf } from './public-url.ts';
import { UsedOnce } from './used-once.ts';

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
  readonly proofs: Proofs;
}

/** What the service has for them. */
export interface OAuthParts {
  readonly clients: Clients;
  readonly audiences: ReadonlySet<string>;
  readonly verifier: Verifier;
  readonly now: () => number;
  readonly clock: Clock;
}

/** Every audience that tokens may be issued for, the service's own first. */
export function audiencesOf({ audience, audiences = [] }: AuthServiceOptions, clients: Clients): ReadonlySet<string> {
  return new Set([audience, ...audiences, ...clients.audiences]);
}

/** Errors: `config_invalid` for an address that is none. */
export function createOAuthContext(options: AuthServiceOptions, { clients, audiences, verifier, now, clock }: OAuthParts): OAuthContext {
  const { issuer, audience, control, masterKey, skewSeconds = 30, dpopNonces = false } = options;
  const publicUrl = publicUrlOf(options);
  const usedAssertions = new UsedOnce(control);
  return {
    issuer,
    publicUrl,
    audience,
    audiences,
    verifier,
    assertions: new ClientAssertions({
      clients,
      used: usedAssertions,
      audiences: new Set([issuer, ...(publicUrl === undefined ? [] : [`${publicUrl}/oauth/token`])]),
      now,
      skewMs: skewSeconds * 1000,
    }),
    usedAssertions,
    proofs: createProofs({ masterKey, nonces: dpopNonces, skewS: skewSeconds, clock }),
  };
}
