import type { Logger } from '@wherry/core';
import type { KeyObject } from 'node:crypto';
import type { TrustedProxies, UnnamedProxy } from '@wherry/http';
import type { CarriedSessions, SessionCookie, SessionRuntime } from '@wherry/sessions';
import type { TokenFamilies } from '@wherry/renewal';
import type { RolloutState } from '@wherry/rollout';
import type { SnowflakeIds } from '@wherry/shards';
import type { Issuer, KeyRing, Verifier } from '@wherry/tokens';
import type { Clients } from './clients.ts';
import type { EndpointLimits } from './limits/endpoint-limits.ts';
import type { DeviceMarks } from './log-in-limits/device-marks.ts';
import type { LogInLimits } from './log-in-limits/log-in-limits.ts';
import type { OAuthContext } from './oauth/oauth-context.ts';
import type { Passwords } from './passwords.ts';
import type { RolloutSide } from './rollout/rollout-side.ts';
import type { UserEnds } from './user-ends.ts';
import type { CheckPassword } from './users/breached/check-password.ts';
import type { RegistrationContext } from './users/repair.ts';

/** What is counted by hand. */
export interface Counts {
  /** Refresh tokens that were used again, each ending its family. */
  reused: number;
}

/** All that the routes work with. Times in milliseconds. */
export interface AuthContext {
  readonly runtime: SessionRuntime;
  /** The sessions of the application that people have; undefined where there is none. */
  readonly legacy: { readonly sessions: CarriedSessions; readonly cookie: SessionCookie } | undefined;
  readonly keys: KeyRing;
  readonly issuer: Issuer;
  readonly verifier: Verifier;
  /**
   * Judges everything but whether the token's session was ended: a log-out that is repeated, because its answer was
   * lost or came too early, has to be able to reach its end.
   */
  readonly endVerifier: Verifier;
  /** Lets a token pass that has run out no longer ago than it may be renewed; everything else is judged. */
  readonly expiredVerifier: Verifier;
  readonly rollout: RolloutState;
  readonly rolloutSide: RolloutSide;
  readonly families: TokenFamilies;
  readonly renewal: { readonly reuseEndsSession: boolean; readonly maxBearerRenewals: number };
  /** Under which the ids and secrets of sibling sessions are made. */
  readonly siblingKey: KeyObject;
  readonly counts: Counts;
  readonly ids: Pick<SnowflakeIds, 'next'>;
  readonly registration: RegistrationContext;
  readonly userEnds: UserEnds;
  readonly passwords: Passwords;
  /** undefined: no list of breached passwords is asked. */
  readonly checkPassword: CheckPassword | undefined;
  readonly logInLimits: LogInLimits;
  readonly deviceMarks: DeviceMarks;
  readonly endpointLimits: EndpointLimits;
  readonly proxies: TrustedProxies;
  /** undefined where the operator has named his proxies. */
  readonly unnamedProxy: UnnamedProxy | undefined;
  readonly clients: Clients;
  readonly oauth: OAuthContext;
  /** Epoch ms, the same for all instances: the control database's clock by this process's reckoning. */
  readonly now: () => number;
  readonly idleMs: number;
  readonly absoluteMs: number;
  /** Of an access token. */
  readonly tokenLifeMs: number;
  readonly jwksMaxAgeS: number;
  readonly log: Logger;
}
