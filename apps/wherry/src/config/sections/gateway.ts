/** Where the requests below a path go. */
interface RouteEntry {
  /** The longest prefix that fits decides. */
  readonly prefix: string;
  /** Scheme, host and port. */
  readonly upstream: string;
  /** Who may pass: the signed-in only; all, and the upstream is told who; all, and no credential is looked at. */
  readonly auth: 'required' | 'optional' | 'none';
}

/** The gateway. */
export interface GatewaySection {
  /** 0: any free one. */
  readonly port: number;
  readonly host: string;
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
