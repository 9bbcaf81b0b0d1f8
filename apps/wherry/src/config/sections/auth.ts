/** An application that talks to the token endpoint. */
export interface ClientEntry {
  readonly id: string;
  /** True: it can keep no secret, as a page in a browser. False: its secret is `WHERRY_AUTH_CLIENT_<ID>_SECRET`. */
  readonly public: boolean;
  /** True: it may use the operator's routes; it needs a secret. */
  readonly operator: boolean;
}

/** The authorization service. */
export interface AuthSection {
  /** 0: any free one. */
  readonly port: number;
  readonly host: string;
  readonly clients: readonly ClientEntry[];
}

export const authSchema = {
  type: 'object',
  description: "The authorization service. WHERRY_AUTH_OPERATOR_SECRET: bearer of the operator's routes.",
  additionalProperties: false,
  default: {},
  properties: {
    port: { type: 'integer', description: 'Port; 0: any free one.', minimum: 0, maximum: 65_535, default: 8081 },
    host: {
      type: 'string',
      description: 'Address to listen on.',
      pattern: '^[A-Za-z0-9.:_-]{1,253}$',
      'x-allowed': 'a host name or an IP address',
      default: '127.0.0.1',
    },
    clients: {
      type: 'array',
      description: 'Applications that talk to the token endpoint. Their secrets: WHERRY_AUTH_CLIENT_<ID>_SECRET.',
      maxItems: 1000,
      default: [],
      'x-short': 'id',
      items: {
        type: 'object',
        description: 'One application.',
        additionalProperties: false,
        required: ['id'],
        properties: {
          id: {
            type: 'string',
            description: 'Client id (RFC 6749 section 2.2).',
            pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$',
            'x-allowed': 'a letter or digit and up to 63 more of A-Z, a-z, 0-9, ., _ and -',
          },
          public: { type: 'boolean', description: 'True: it can keep no secret, as a page in a browser.', default: false },
          operator: { type: 'boolean', description: "True: it may use the operator's routes; it needs a secret.", default: false },
        },
      },
    },
  },
} as const;
