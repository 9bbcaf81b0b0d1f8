/** An application that talks to the token endpoint. */
export interface ClientEntry {
  readonly id: string;
  /** True: it can keep no secret, as a page in a browser. False: its secret is `WHERRY_AUTH_CLIENT_<ID>_SECRET`. */
  readonly public: boolean;
  /** True: it may use the operator's routes; it needs a secret. */
  readonly operator: boolean;
}

/** How many log-ins may fail, and how many may register; 0: no bound. */
interface LogInsSection {
  readonly failuresPerAccountAndAddress: number;
  readonly failuresPerAccount: number;
  readonly accountRefillSeconds: number;
  readonly failuresPerAddress: number;
  readonly addressRefillSeconds: number;
  readonly knownAddressDays: number;
  readonly registrationsPerAddress: number;
  readonly registrationRefillSeconds: number;
}

/** The authorization service. */
export interface AuthSection {
  /** 0: any free one. */
  readonly port: number;
  readonly host: string;
  readonly clients: readonly ClientEntry[];
  /** Whose X-Forwarded-For is believed. */
  readonly trustedProxies: readonly string[];
  readonly logIns: LogInsSection;
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
    trustedProxies: {
      type: 'array',
      description: 'Proxies whose X-Forwarded-For is believed when log-ins are counted: loopback, private, addresses and ranges.',
      maxItems: 100,
      default: ['loopback'],
      items: {
        type: 'string',
        description: 'A name, an address or a range.',
        pattern: '^(loopback|private|[0-9A-Fa-f.:]{2,45}(/[0-9]{1,3})?)$',
        'x-allowed': 'loopback, private, an IP address or a range as 10.1.0.0/16',
      },
    },
    logIns: {
      type: 'object',
      description: 'How many log-ins may fail, and how many may register, before one has to wait. 0 for a number: no bound.',
      additionalProperties: false,
      default: {},
      properties: {
        failuresPerAccountAndAddress: {
          type: 'integer',
          description: 'For one account from one address, in a row.',
          minimum: 0,
          maximum: 100_000,
          default: 10,
        },
        failuresPerAccount: {
          type: 'integer',
          description: 'For one account from all addresses together.',
          minimum: 0,
          maximum: 100_000,
          default: 100,
        },
        accountRefillSeconds: {
          type: 'integer',
          description: 'Until one more may fail for the account, in seconds.',
          minimum: 1,
          maximum: 86_400,
          default: 60,
        },
        failuresPerAddress: {
          type: 'integer',
          description: 'From one address, whatever the account.',
          minimum: 0,
          maximum: 1_000_000,
          default: 100,
        },
        addressRefillSeconds: {
          type: 'integer',
          description: 'Until one more may fail from the address, in seconds.',
          minimum: 1,
          maximum: 86_400,
          default: 6,
        },
        knownAddressDays: {
          type: 'integer',
          description:
            'How long an account is let in from an address where it has signed in, whatever fails elsewhere, in days; 0: not at all.',
          minimum: 0,
          maximum: 365,
          default: 30,
        },
        registrationsPerAddress: {
          type: 'integer',
          description: 'How many may register from one address.',
          minimum: 0,
          maximum: 1_000_000,
          default: 30,
        },
        registrationRefillSeconds: {
          type: 'integer',
          description: 'Until one more may register from the address, in seconds.',
          minimum: 1,
          maximum: 86_400,
          default: 60,
        },
      },
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
