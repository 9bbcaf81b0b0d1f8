import { rate, type RateSchemaWithDefault } from './rate.ts';

/** A public key of a client (RFC 7517, RFC 7518 section 6). */
export interface ClientKeyEntry {
  readonly kty: 'EC' | 'OKP' | 'RSA';
  readonly kid?: string;
  readonly alg?: 'ES256' | 'RS256' | 'EdDSA';
  readonly use?: 'sig';
  readonly crv?: 'P-256' | 'Ed25519';
  readonly x?: string;
  readonly y?: string;
  readonly n?: string;
  readonly e?: string;
}

/** An application that talks to the token endpoint. */
export interface ClientEntry {
  readonly id: string;
  /** True: it can keep no secret, as a page in a browser. False: its secret is `WHERRY_AUTH_CLIENT_<ID>_SECRET`, or it has keys. */
  readonly public: boolean;
  /** True: it may use the operator's routes; it needs a secret. */
  readonly operator: boolean;
  /** True: it signs users in by itself, and is believed who they are; it needs a secret. */
  readonly assertsUsers: boolean;
  readonly grants: readonly ('token-exchange' | 'client_credentials' | 'refresh_token' | 'expired-access-token')[];
  /** Empty: the service's own alone. */
  readonly audiences: readonly string[];
  /** As a service. */
  readonly authorities: readonly string[];
  readonly tokenSeconds?: number;
  /** The keys of private_key_jwt. */
  readonly jwks?: { readonly keys: readonly ClientKeyEntry[] };
  /** The path of a file that has them. */
  readonly jwksFile?: string;
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

/** How often requests to the endpoints of clients may come. */
interface RequestsSection {
  readonly perAddress: string;
  readonly perClient: string;
}

/** How access tokens are renewed. */
interface RenewalSection {
  readonly reuseEndsSession: boolean;
  readonly graceSeconds: number;
  readonly familiesPerSession: number;
  readonly bearerOnly: { readonly maxRenewals: number };
}

/** The authorization service. */
export interface AuthSection {
  /** 0: any free one. */
  readonly port: number;
  readonly host: string;
  /** Where clients reach the service. */
  readonly publicUrl?: string;
  readonly dpopNonces: boolean;
  readonly clients: readonly ClientEntry[];
  /** Whose X-Forwarded-For is believed. */
  readonly trustedProxies: readonly string[];
  readonly logIns: LogInsSection;
  readonly requests: RequestsSection;
  readonly renewal: RenewalSection;
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
    publicUrl: {
      type: 'string',
      description: 'Where clients reach the service, for metadata, assertions and proofs; the issuer where that is a URL.',
      format: 'http-origin',
    },
    dpopNonces: {
      type: 'boolean',
      description: 'True: proofs of possession (RFC 9449) need a fresh nonce of this service.',
      default: false,
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
    requests: {
      type: 'object',
      description: 'How often requests to the endpoints of clients may come.',
      additionalProperties: false,
      default: {},
      properties: {
        perAddress: {
          ...rate,
          description: 'From one address that proves to be no client; a refused one costs 10.',
          default: '3000/10s',
        } as RateSchemaWithDefault,
        perClient: { ...rate, description: 'From one client that has proved who it is.', default: '20000/10s' } as RateSchemaWithDefault,
      },
    },
    renewal: {
      type: 'object',
      description: 'How access tokens are renewed.',
      additionalProperties: false,
      default: {},
      properties: {
        reuseEndsSession: {
          type: 'boolean',
          description: 'True: a refresh token that is used again ends its session, not its family alone.',
          default: false,
        },
        graceSeconds: {
          type: 'integer',
          description: 'How long a repeated refresh token gets the very same successor, in seconds; at most twice the life of a token.',
          minimum: 0,
          maximum: 3600,
          default: 30,
        },
        bearerOnly: {
          type: 'object',
          description: 'Renewal by an access token that has run out, for clients with the grant expired-access-token. Weaker.',
          additionalProperties: false,
          default: {},
          properties: {
            maxRenewals: {
              type: 'integer',
              description: 'How often a token is renewed so; 0: not at all.',
              minimum: 0,
              maximum: 100_000,
              default: 0,
            },
          },
        },
        familiesPerSession: {
          type: 'integer',
          description: 'How many families a session may have; one more ends that which was idle longest.',
          minimum: 1,
          maximum: 1000,
          default: 16,
        },
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
          assertsUsers: {
            type: 'boolean',
            description:
              'True: it may hand over log-ins without a session of its own, and is believed who its users are; it needs a secret.',
            default: false,
          },
          grants: {
            type: 'array',
            description: 'What it may ask the token endpoint for.',
            maxItems: 4,
            default: ['token-exchange', 'refresh_token'],
            items: {
              type: 'string',
              description: 'A grant.',
              enum: ['token-exchange', 'client_credentials', 'refresh_token', 'expired-access-token'],
            },
          },
          audiences: {
            type: 'array',
            description: "What its tokens may be for; none: the service's own audience alone.",
            maxItems: 8,
            default: [],
            items: { type: 'string', description: 'An audience.', minLength: 1, maxLength: 200 },
          },
          authorities: {
            type: 'array',
            description: 'What it may do in its own name, by client_credentials.',
            maxItems: 1000,
            default: [],
            items: { type: 'string', description: 'An authority.', minLength: 1, maxLength: 256 },
          },
          tokenSeconds: { type: 'integer', description: 'Longest life of its tokens, in seconds.', minimum: 1, maximum: 86_400 },
          jwks: {
            type: 'object',
            description: 'Its public keys, for private_key_jwt.',
            additionalProperties: false,
            required: ['keys'],
            properties: {
              keys: {
                type: 'array',
                description: 'A JWK set.',
                maxItems: 10,
                default: [],
                items: {
                  type: 'object',
                  description: 'One public key.',
                  additionalProperties: false,
                  required: ['kty'],
                  properties: {
                    kty: { type: 'string', description: 'Type of the key.', enum: ['EC', 'OKP', 'RSA'] },
                    kid: { type: 'string', description: 'Its name; else its thumbprint.', minLength: 1, maxLength: 128 },
                    alg: { type: 'string', description: 'What it signs with.', enum: ['ES256', 'RS256', 'EdDSA'] },
                    use: { type: 'string', description: 'What it is for.', enum: ['sig'] },
                    crv: { type: 'string', description: 'Its curve.', enum: ['P-256', 'Ed25519'] },
                    x: { type: 'string', description: 'A coordinate.', maxLength: 100 },
                    y: { type: 'string', description: 'A coordinate.', maxLength: 100 },
                    n: { type: 'string', description: 'Its modulus.', maxLength: 2000 },
                    e: { type: 'string', description: 'Its exponent.', maxLength: 20 },
                  },
                },
              },
            },
          },
          jwksFile: { type: 'string', description: 'Path of a file with that JWK set.', minLength: 1, maxLength: 1000 },
        },
      },
    },
  },
} as const;
