import { rate, type RateSchema, type RateSchemaWithDefault } from './rate.ts';

/** Where the requests below a path go. */
interface RouteEntry {
  /** The longest prefix that fits decides. */
  readonly prefix: string;
  /** Scheme, host and port. */
  readonly upstream: string;
  /** Who may pass: the signed-in only; all, and the upstream is told who; all, and no credential is looked at. */
  readonly auth: 'required' | 'optional' | 'none';
  /** True: the upstream does not see bearer credentials that were judged here. */
  readonly stripBearer: boolean;
  /** What becomes of requests by cookie that another site's page may have sent. */
  readonly crossSite: 'check' | 'strict' | 'off';
  /** Rates as `20/1s,600/1m`; absent: as for all. */
  readonly perUser?: string;
  readonly perClient?: string;
  readonly perAddress?: string;
}

/** How often requests may come; absent: no bound. */
interface LimitsSection {
  readonly perUser?: string;
  readonly perClient?: string;
  readonly perAddress?: string;
}

/** What may be spent on credentials that were not seen before. */
interface ExaminationsSection {
  readonly perAddress: string;
  readonly overall: string;
}

/** The gateway. */
export interface GatewaySection {
  /** 0: any free one. */
  readonly port: number;
  readonly host: string;
  /** Where /livez, /readyz and /metrics are; absent: on `port`. 0: any free one. */
  readonly adminPort?: number;
  /** Whether X-Forwarded-* of the client are believed. */
  readonly trustForwarded: boolean;
  /** In which header another proxy tells the path that it asks for; absent: none is believed. */
  readonly forwardAuthUriHeader?: string;
  /** Below which path the rest of a question's own path is the original one; absent: nowhere. */
  readonly forwardAuthPrefix?: string;
  /** Upgraded connections (WebSockets), at most. */
  readonly upgradedConnections: number;
  readonly upgradedConnectionsPerCaller: number;
  readonly upgradedIdleSeconds: number;
  /** How often the caller of a connection that lasts is looked at again. */
  readonly lookAgainSeconds: number;
  readonly unknownSeconds: number;
  /** Whether sessions whose source is primary are kept in memory too. */
  readonly cacheSourceSessions: boolean;
  readonly routes: readonly RouteEntry[];
  /** Sessions kept in memory, at most. */
  readonly sessionCacheSize: number;
  /** Verified access tokens kept in memory, at most. */
  readonly tokenCacheSize: number;
  /** Whose X-Forwarded-For tells the address by which is counted. */
  readonly trustedProxies: readonly string[];
  readonly limits: LimitsSection;
  readonly examinations: ExaminationsSection;
  /** How clients address the gateway; absent: access tokens that are bound to a key are refused. */
  readonly origin?: string;
  /** Origin of the auth service, asked for renewals on the way; absent: there are none. */
  readonly authUrl?: string;
  /** Other sites whose pages may send what changes something. */
  readonly allowedOrigins: readonly string[];
}

export const gatewaySchema = {
  type: 'object',
  description: 'The gateway. It signs identity headers where WHERRY_GATEWAY_UPSTREAM_SECRET is set (newest first, commas between).',
  additionalProperties: false,
  default: {},
  properties: {
    port: { type: 'integer', description: 'Port; 0: any free one.', minimum: 0, maximum: 65_535, default: 8080 },
    host: {
      type: 'string',
      description: 'Address to listen on.',
      pattern: '^[A-Za-z0-9.:_-]{1,253}$',
      'x-allowed': 'a host name or an IP address',
      default: '0.0.0.0',
    },
    adminPort: {
      type: 'integer',
      description: 'Port of /livez, /readyz and /metrics; 0: any free one. Absent: they are on port, beside the routes.',
      minimum: 0,
      maximum: 65_535,
    },
    trustForwarded: {
      type: 'boolean',
      description: "True: X-Forwarded-* of the client are believed and added to, behind a proxy of one's own. False: replaced.",
      default: false,
    },
    forwardAuthUriHeader: {
      type: 'string',
      description: 'Header in which another proxy tells the path that it asks for, and which it overwrites. Absent: none is believed.',
      pattern: '^[A-Za-z0-9-]{1,64}$',
      'x-allowed': 'the name of a header, e.g. x-forwarded-uri or x-original-uri',
    },
    forwardAuthPrefix: {
      type: 'string',
      description: 'All below this path are questions of a proxy that appends the original path to it, as Envoy does. Absent: none are.',
      pattern: '^(/[A-Za-z0-9._~-]+)+$',
      maxLength: 200,
      'x-allowed': 'a path that begins with / and does not end with it, e.g. /ext-authz',
    },
    upgradedConnections: {
      type: 'integer',
      description: 'Upgraded connections (WebSockets) that may be open, at most.',
      minimum: 0,
      maximum: 1_000_000,
      default: 10_000,
    },
    upgradedConnectionsPerCaller: {
      type: 'integer',
      description: 'Upgraded connections of one user, or of one address where nobody is signed in, at most.',
      minimum: 1,
      maximum: 1_000_000,
      default: 100,
    },
    upgradedIdleSeconds: {
      type: 'integer',
      description: 'How long an upgraded connection may be silent both ways, in seconds.',
      minimum: 1,
      maximum: 86_400,
      default: 300,
    },
    lookAgainSeconds: {
      type: 'integer',
      description: 'How often the caller of a WebSocket or of an answer that lasts is looked at again, in seconds.',
      minimum: 1,
      maximum: 300,
      default: 5,
    },
    unknownSeconds: {
      type: 'integer',
      description: 'How long such a connection goes on while nobody can know whether its caller still is signed in, in seconds.',
      minimum: 0,
      maximum: 3600,
      default: 30,
    },
    cacheSourceSessions: {
      type: 'boolean',
      description: 'True: sessions are kept in memory before the switch too. Only where every writer to the source is instrumented.',
      default: false,
    },
    routes: {
      type: 'array',
      description: 'Where requests go; the longest prefix that fits decides.',
      maxItems: 1000,
      default: [],
      items: {
        type: 'object',
        description: 'One route.',
        additionalProperties: false,
        required: ['prefix', 'upstream'],
        properties: {
          prefix: {
            type: 'string',
            description: 'Beginning of the path.',
            pattern: '^/[^?#\\s\\\\]*$',
            maxLength: 500,
            'x-allowed': 'a path that begins with /, without ?, #, \\ and spaces',
          },
          upstream: { type: 'string', description: 'Scheme, host and port of the server behind.', format: 'http-origin' },
          auth: {
            type: 'string',
            description: 'required: the signed-in only; optional: all, and the upstream is told who; none: no credential is looked at.',
            enum: ['required', 'optional', 'none'],
            default: 'required',
          },
          stripBearer: {
            type: 'boolean',
            description: 'True: the upstream does not see bearer credentials that were judged here.',
            default: false,
          },
          crossSite: {
            type: 'string',
            description:
              'Requests by cookie that change something: check refuses those of which the browser says cross-site; strict those that cannot show the same origin; off none.',
            enum: ['check', 'strict', 'off'],
            default: 'check',
          },
          perUser: {
            ...rate,
            description: 'How often requests of one user may come to this route; absent: as gateway.limits has it.',
          } as RateSchema,
          perClient: { ...rate, description: 'The same for all users of one client.' } as RateSchema,
          perAddress: { ...rate, description: 'The same for one address.' } as RateSchema,
        },
      },
    },
    sessionCacheSize: {
      type: 'integer',
      description: 'Sessions kept in memory, at most.',
      minimum: 0,
      maximum: 10_000_000,
      default: 100_000,
    },
    tokenCacheSize: {
      type: 'integer',
      description: 'Verified access tokens kept in memory, at most.',
      minimum: 0,
      maximum: 10_000_000,
      default: 100_000,
    },
    trustedProxies: {
      type: 'array',
      description:
        'Proxies whose X-Forwarded-For is believed when requests are counted by address: loopback, private, addresses and ranges.',
      maxItems: 100,
      default: ['loopback'],
      items: {
        type: 'string',
        description: 'A name, an address or a range.',
        pattern: '^(loopback|private|[0-9A-Fa-f.:]{2,45}(/[0-9]{1,3})?)$',
        'x-allowed': 'loopback, private, an IP address or a range as 10.1.0.0/16',
      },
    },
    limits: {
      type: 'object',
      description: 'How often requests may come, on routes without rates of their own and in checks. Absent: no bound.',
      additionalProperties: false,
      default: {},
      properties: {
        perUser: { ...rate, description: 'From one user.' } as RateSchema,
        perClient: { ...rate, description: 'From all users of one client.' } as RateSchema,
        perAddress: { ...rate, description: 'From one address, IPv6 by its /64.' } as RateSchema,
      },
    },
    examinations: {
      type: 'object',
      description: 'What may be spent on credentials that were not seen before: each costs 1, one that is made up 10.',
      additionalProperties: false,
      default: {},
      properties: {
        perAddress: { ...rate, description: 'For one address.', default: '20000/10s' } as RateSchemaWithDefault,
        overall: {
          ...rate,
          description: 'For all addresses from which no good one has come lately, and once more for the others.',
          default: '100000/10s',
        } as RateSchemaWithDefault,
      },
    },
    origin: {
      type: 'string',
      description:
        'How clients address the gateway, or the proxy that asks it: what proofs of possession (DPoP) are for. Absent: access tokens that are bound to a key are refused.',
      format: 'http-origin',
    },
    authUrl: {
      type: 'string',
      description: 'Origin of the auth service: an access token that has run out is renewed there on its way. Absent: it is refused.',
      format: 'http-origin',
    },
    allowedOrigins: {
      type: 'array',
      description: 'Other sites whose pages may send requests by cookie that change something.',
      maxItems: 100,
      default: [],
      items: {
        type: 'string',
        description: 'An origin.',
        pattern: '^https?://[a-z0-9.-]+(:[0-9]{1,5})?$',
        'x-allowed': 'an origin as https://pay.example.com',
      },
    },
  },
} as const;
