import type { Clock, Logger } from '@wherry/core';
import type { Database } from '@wherry/core/control';
import type { PrometheusMetrics } from '@wherry/core/metrics';
import type { SessionCookie, SessionDecoder, SourceStore } from '@wherry/sessions';
import type { ShardSet } from '@wherry/shards';
import type { SigningAlgorithm } from '@wherry/tokens';
import type { AuthClient } from './clients.ts';
import type { EndpointLimitOptions } from './limits/endpoint-limits.ts';
import type { LogInLimitOptions } from './log-in-limits/options.ts';
import type { PasswordsOptions } from './passwords.ts';
import type { RenewalOptions } from './renewal/options.ts';
import type { RolloutOptions } from './rollout/options.ts';
import type { CheckPassword } from './users/breached/check-password.ts';

/** Where the application that people have keeps its sessions, and how it signs its cookie. */
export interface LegacySource {
  readonly store: SourceStore;
  readonly decode: SessionDecoder;
  readonly cookie: SessionCookie;
  /** Life of a session without an idle time of its own, milliseconds; default one day. */
  readonly defaultIdleMs?: number;
}

/** Options of {@link createAuthService}. What it is given (databases, source) it uses and does not close. */
export interface AuthServiceOptions {
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** 0 (default): any free one. */
  readonly port?: number;
  readonly control: Database;
  readonly shards: ShardSet;
  /** 32 bytes. */
  readonly masterKey: Uint8Array;
  /** Claim `iss`. */
  readonly issuer: string;
  /** Claim `aud`: the service's own audience, of tokens that may be used everywhere. */
  readonly audience: string;
  /** Other audiences that clients may ask for; those that clients are allowed count without being named here. */
  readonly audiences?: readonly string[];
  /** `http(s)://host…` where clients reach this service; default the issuer where that is a URL. Without one there is no metadata. */
  readonly publicUrl?: string;
  /** Life of an access token in seconds. */
  readonly accessTokenSeconds: number;
  /** How far the clocks of issuer and verifier may be apart, seconds; default 30. */
  readonly skewSeconds?: number;
  /** `shared`: one key for all instances; `process`: a key of this process's own, made at its start. */
  readonly keyMode: 'shared' | 'process';
  /** Default ES256. */
  readonly algorithm?: SigningAlgorithm;
  /** Bits of new keys for RS256; default 2048. */
  readonly rsaBits?: number;
  /** Age at which the key that signs gets a successor, seconds; default 30 days. */
  readonly keyRotationSeconds?: number;
  /** Longest wait for a key that signs before listening all the same, not ready, milliseconds; default 10000. */
  readonly keyReadyMs?: number;
  /** How long readers of the published key set may keep it, seconds; default 300. */
  readonly jwksMaxAgeSeconds?: number;
  /** How long a session that is born here lives without a request, seconds. */
  readonly idleSeconds: number;
  /** How long it lives in all, seconds. */
  readonly absoluteSeconds: number;
  /** Absent: there is none, or none any more. */
  readonly source?: LegacySource;
  /** Applications that talk to the token endpoint or hand log-ins over. */
  readonly clients?: readonly AuthClient[];
  /** Bearer of the operator's routes; absent: only clients marked as operators reach them. */
  readonly operatorSecret?: string;
  /** True: proofs of possession need a fresh nonce of this service (RFC 9449 section 8); default false. */
  readonly dpopNonces?: boolean;
  /** How access tokens are renewed. */
  readonly renewal?: RenewalOptions;
  /** What is told of the rollout, and who looks after it. */
  readonly rollout?: RolloutOptions;
  readonly passwords?: PasswordsOptions;
  /** Asked about each new password; absent: any that is long enough is taken. */
  readonly checkPassword?: CheckPassword;
  /** How many log-ins may fail; bound by default. */
  readonly logInLimits?: LogInLimitOptions;
  /** How often requests to the endpoints of clients may come. */
  readonly endpointLimits?: EndpointLimitOptions;
  /** Proxies whose X-Forwarded-For is believed: `loopback`, `private`, addresses and ranges; default `loopback`. */
  readonly trustedProxies?: readonly string[];
  /** How long a registration may take before it counts as abandoned, milliseconds; default 60000. */
  readonly registrationGraceMs?: number;
  /** How long a change may take before the end that it owes is made up for, milliseconds; default 60000. */
  readonly userEndOwedMs?: number;
  /** How often what was left undone is looked for, milliseconds; default 30000. */
  readonly upkeepMs?: number;
  /** Also answered at /metrics. */
  readonly metrics?: PrometheusMetrics;
  readonly log?: Logger;
  readonly clock?: Clock;
}
