/** A product in User-Agent that stands for a client. */
interface UserAgentEntry {
  readonly product: string;
  readonly client: string;
}

/** The change from session tokens to access tokens, as far as it is not moved by commands. */
export interface RolloutSection {
  /** Since when session credentials are deprecated; absent: not told. */
  readonly deprecatedAt?: string;
  /** When they stop to be accepted; absent: not told. */
  readonly sunsetAt?: string;
  /** The guide for client teams; absent: not told. */
  readonly guideUrl?: string;
  /** Longest life of a session credential, which none may be used for before the phase retired; absent: of the sessions that are begun here. */
  readonly sessionLifeSeconds?: number;
  /** How the auth service looks after the rollout. */
  readonly guard: { readonly everySeconds: number; readonly windowSeconds: number };
  /** How clients that do not name themselves are told apart in reports. */
  readonly userAgents: readonly UserAgentEntry[];
}

/** What the settings of this form have in common, as a type that can be written down. */
interface MomentSchema {
  readonly type: 'string';
  readonly description: string;
  readonly pattern: string;
  readonly 'x-allowed': string;
}

const moment = {
  type: 'string',
  pattern: '^[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z$',
  'x-allowed': 'a moment as 2027-01-31T00:00:00Z',
} as const;

export const rolloutSchema = {
  type: 'object',
  description: 'What clients that still use session credentials are told, and how they are named in reports. Commands move the rollout.',
  additionalProperties: false,
  default: {},
  properties: {
    deprecatedAt: {
      ...moment,
      description: 'Since when session credentials are deprecated (header Deprecation, RFC 9745).',
    } as MomentSchema,
    sunsetAt: {
      ...moment,
      description: 'When they will no longer be accepted (header Sunset, RFC 8594). Absent: not told.',
    } as MomentSchema,
    guideUrl: {
      type: 'string',
      description: 'Address of the guide for client teams (header Link, rel="deprecation"). Absent: not told.',
      pattern: '^https?://[!-;=?-~]{1,500}$',
      'x-allowed': 'an http or https address',
    },
    sessionLifeSeconds: {
      type: 'integer',
      description: 'How long no session credential may have been used before the phase retired, in seconds; sessions.absoluteSeconds.',
      minimum: 1,
      maximum: 31_536_000,
    },
    guard: {
      type: 'object',
      description: 'How the auth service looks after the rollout: it settles phases, holds them and takes them back.',
      additionalProperties: false,
      default: {},
      properties: {
        everySeconds: { type: 'integer', description: 'How often one instance looks, in seconds.', minimum: 1, maximum: 3600, default: 5 },
        windowSeconds: { type: 'integer', description: 'How far back it looks, in seconds.', minimum: 10, maximum: 86_400, default: 1800 },
      },
    },
    userAgents: {
      type: 'array',
      description: 'Products in User-Agent that stand for a client in reports; the first that fits decides.',
      maxItems: 1000,
      default: [],
      items: {
        type: 'object',
        description: 'One product.',
        additionalProperties: false,
        required: ['product', 'client'],
        properties: {
          product: {
            type: 'string',
            description: 'Its name, before the slash, compared exactly.',
            pattern: '^[A-Za-z0-9!#$%&*+.^_|~-]{1,64}$',
            'x-allowed': 'the name of a product as ShopApp',
          },
          client: {
            type: 'string',
            description: 'The client that it stands for.',
            pattern: '^[!-9;-~]{1,64}$',
            'x-allowed': '1 to 64 printable characters without a colon',
          },
        },
      },
    },
  },
} as const;
