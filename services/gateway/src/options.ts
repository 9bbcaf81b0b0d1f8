import type { Clock, Logger, Metrics } from '@wherry/core';
import type { Database } from '@wherry/core/control';
import type { CrossSitePolicy, IdentitySecret } from '@wherry/http';
import type { TokenFamilies } from '@wherry/renewal';
import type { ClientNamingOptions, RolloutState, DeprecationOptions } from '@wherry/rollout';
import type { CarriedSessions, SessionCookie, SessionRuntime } from '@wherry/sessions';
import type { KeySource } from '@wherry/tokens';
import type { RequestLimitOptions } from './limits/request-limits.ts';
import type { RenewalClientOptions } from './renewal/renewal-client.ts';

/** Where the requests below a path go. */
export interface GatewayRoute {
  /** Beginning of the path, at the border of a segment; the longest one that fits decides. Compared without case. */
  readonly prefix: string;
  /** Scheme, host and port: `http://10.0.0.7:3000`. */
  readonly upstream: string;
  /**
   * Who may pass. `required` (default): the signed-in only. `optional`: all, and the upstream is told who it is where
   * that is known. `none`: all, and no credential is looked at; the request goes on as it came, identity headers taken out.
   */
  readonly auth?: 'required' | 'optional' | 'none';
  /**
   * True: a bearer credential that the gateway has judged stays here, and the upstream sees the identity headers alone.
   * Default false. Session cookies always go on: the application that wrote them slides their expiry.
   */
  readonly stripBearer?: boolean;
  /**
   * What becomes of requests by session cookie that change something and may come from another site's page. `check`
   * (default): refused where the browser says `cross-site`. `strict`: refused unless it says, or their Origin shows, the
   * same origin. `off`: passed on, for an upstream that has its own defence and takes posts from other sites, e.g. SAML.
   */
  readonly crossSite?: CrossSitePolicy;
  /** How often requests to it may come, in place of the gateway's `limits`, and counted apart. */
  readonly limits?: RequestLimitOptions;
}

/** What may be spent on credentials that this instance has not seen before; see `ExaminationBudget`. */
export interface ExaminationOptions {
  /** For one address; default `20000/10s`. A credential that is no good costs 1, one that is made up 10. */
  readonly perAddress?: string;
  /** For all addresses that have sent none that holds, and once more for those that have; default `100000/10s`. */
  readonly overall?: string;
}

/** What judges access tokens. */
export interface GatewayTokens {
  readonly keys: KeySource;
  readonly issuer: string;
  readonly audience: string;
  /** Longest life of a token, seconds. */
  readonly maxLifeS: number;
  /** Clocks apart, milliseconds; default 30000. */
  readonly skewMs?: number;
  /** Most verified tokens kept in memory; default 100000. */
  readonly cacheSize?: number;
}

/** The memory of sessions that were read. */
export interface SessionCacheOptions {
  /** Most sessions; 0: none. Default 100000. */
  readonly size?: number;
  /** How long one is believed without reading it again, milliseconds; each a little less, by chance. Default 5000. */
  readonly ttlMs?: number;
  /**
   * Whether sessions whose source is primary are kept too. Only where every application that writes to the source is
   * instrumented: another one ends a session without telling anybody. Default false. Sessions on the target are always
   * kept, because their ends always come as revocations.
   */
  readonly source?: boolean;
  /** Whether those that are asked for most are read before they are asked for; default true. */
  readonly warm?: boolean;
  /** How often gateways tell each other which sessions are asked for most, milliseconds; default 10000. */
  readonly reportMs?: number;
}

/** The check for another proxy: nginx `auth_request`, Traefik `forwardAuth`, Caddy `forward_auth`, Envoy `ext_authz`. */
export interface ForwardAuthOptions {
  /** Its path; default `/auth`. */
  readonly path?: string;
  /**
   * The header in which that proxy tells the path of the original request, for routes that are `optional` or `none`:
   * `x-forwarded-uri` or `x-original-uri`. The proxy has to overwrite what a client sends under this name. Absent
   * (default): no header is believed, and every check asks for a signed-in user.
   */
  readonly uriHeader?: string;
  /**
   * For a proxy that appends the original path to a prefix and asks with the original method, as Envoy's ext_authz does:
   * all below this path are questions, and the rest of it is the original path. Absent: there are none.
   */
  readonly prefix?: string;
}

/** Bounds of upgraded connections (WebSockets). */
export interface UpgradeLimits {
  /** Most that are open at a time; default 10000. */
  readonly max?: number;
  /** Most of one user, or of one address where nobody is signed in; default 100. */
  readonly perCaller?: number;
  /** How long one may be silent both ways, milliseconds; default 300000. Most servers ping more often. */
  readonly idleMs?: number;
}

/** Bounds of the proxy. Milliseconds. */
export interface ProxyOptions {
  /** Most connections to one upstream, of which each open stream holds one; default 1024. */
  readonly connections?: number;
  /** Until an upstream connection stands; default 2000. */
  readonly connectMs?: number;
  /** Until the upstream's answer begins; default 30000. A stream, once begun, may be silent for ever. */
  readonly responseMs?: number;
  /** True: X-Forwarded-* of the client are believed and added to, for a gateway behind a proxy of one's own. Default false: replaced. */
  readonly trustForwarded?: boolean;
  readonly upgrades?: UpgradeLimits;
  /**
   * How often the caller of an answer that lasts, and of a WebSocket, is looked at again; default 5000. When he is no
   * longer signed in, or has other roles, his connection is cut.
   */
  readonly lookAgainMs?: number;
  /** How long such a connection goes on while nobody can know whether he still is signed in; default 30000. */
  readonly unknownMs?: number;
}

/** Options of `createGateway`. */
export interface GatewayOptions {
  /** Address to listen on. */
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Where /livez, /readyz and /metrics are, on the same address; default: on `port`, beside the routes. 0: any free one. */
  readonly adminPort?: number;
  readonly routes: readonly GatewayRoute[];
  readonly tokens: GatewayTokens;
  /** Slot map, revocations and the sharded store. It has run before the gateway does. */
  readonly runtime: SessionRuntime;
  readonly rollout: RolloutState;
  /** Where the use of credentials and the counts of the rollout are reported; absent: nowhere, and nothing can be retired. */
  readonly reports?: Database;
  /** What clients have shown by their renewals; absent: of nobody. */
  readonly families?: TokenFamilies;
  /** How clients are named in reports. */
  readonly clients?: ClientNamingOptions;
  /** What clients that still use session credentials are told. */
  readonly deprecation?: DeprecationOptions;
  /**
   * Scheme, host and port by which clients address the gateway, or the proxy that asks it: what proofs of possession are
   * for (RFC 9449). Absent: access tokens that are bound to a key are refused.
   */
  readonly origin?: string;
  /** Renewal of access tokens that have run out, on their way; absent: they are refused. */
  readonly renewal?: RenewalClientOptions & {
    /** How long after its end a token may be renewed, milliseconds; default twice a token's longest life. */
    readonly windowMs?: number;
  };
  /** Carried-over sessions; absent: session cookies are not looked at. */
  readonly carried?: CarriedSessions;
  /** The application's session cookie; absent likewise. */
  readonly cookie?: SessionCookie;
  /** Secrets for signing identity headers, the newest first; absent: they are not signed. */
  readonly upstreamSecrets?: readonly IdentitySecret[];
  readonly sessionCache?: SessionCacheOptions;
  readonly forwardAuth?: ForwardAuthOptions;
  readonly proxy?: ProxyOptions;
  /** Proxies whose X-Forwarded-For tells whose request it is, for all that is counted by address: `loopback`, `private`, addresses and ranges; default `loopback`. */
  readonly trustedProxies?: readonly string[];
  /** How often requests may come, on routes without limits of their own and in checks; default: no bound. */
  readonly limits?: RequestLimitOptions;
  readonly examinations?: ExaminationOptions;
  /** Origins of other sites whose pages may send requests by cookie that change something, e.g. `https://pay.example`. */
  readonly allowedOrigins?: readonly string[];
  /** Where measurements go, and the page on which they are read. */
  readonly metrics: Metrics & { page(): Promise<string>; readonly contentType: string };
  /** Oldest news of revocations on which a memory is believed, milliseconds; default 3000. */
  readonly freshMs?: number;
  /** How long a whole request may take to come in, milliseconds; default 300000. Its headers: 10000. */
  readonly requestMs?: number;
  /** How long a connection may wait for its next request, milliseconds; default 65000: longer than the proxies in front do. */
  readonly idleMs?: number;
  readonly log?: Logger;
  readonly clock?: Clock;
}
