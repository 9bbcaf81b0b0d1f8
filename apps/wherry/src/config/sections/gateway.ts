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
  /** Whether sessions whose source is primary are kept in memory too. */
  readonly cacheSourceSessions: boolean;
  readonly routes: readonly RouteEntry[];
  /** Sessions kept in memory, at most. */
  readonly sessionCacheSize: number;
  /** Verified access tokens kept in memory, at most. */
  readonly tokenCacheSize: number;
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
  },
} as const;
