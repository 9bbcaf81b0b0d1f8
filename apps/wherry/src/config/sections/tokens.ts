/** Access tokens. */
export interface TokensSection {
  readonly issuer: string;
  readonly audience: string;
  /** Life of an access token. */
  readonly accessTokenSeconds: number;
  /** How far the clocks of issuer and verifier may be apart. */
  readonly skewSeconds: number;
  /** `shared`: all instances sign with one key; `process`: each makes its own when it starts. */
  readonly keyMode: 'shared' | 'process';
  readonly algorithm: 'ES256' | 'RS256' | 'EdDSA';
  /** Of RS256. */
  readonly rsaBits: number;
  /** Age at which a key gets a successor. */
  readonly keyRotationSeconds: number;
}

export const tokensSchema = {
  type: 'object',
  description: 'Access tokens (RFC 9068).',
  additionalProperties: false,
  default: {},
  properties: {
    issuer: { type: 'string', description: 'Claim iss: who issues.', minLength: 1, maxLength: 200, default: 'wherry' },
    audience: { type: 'string', description: 'Claim aud: for whom.', minLength: 1, maxLength: 200, default: 'wherry' },
    accessTokenSeconds: { type: 'integer', description: 'Life of an access token in seconds.', minimum: 5, maximum: 86_400, default: 300 },
    skewSeconds: {
      type: 'integer',
      description: 'How far the clocks of issuer and verifier may be apart, in seconds.',
      minimum: 0,
      maximum: 300,
      default: 30,
    },
    keyMode: {
      type: 'string',
      description: 'shared: all instances sign with one key; process: each makes its own when it starts.',
      enum: ['shared', 'process'],
      default: 'shared',
    },
    algorithm: {
      type: 'string',
      description: 'What keys sign with; changed, a key of the new algorithm takes over while the system runs.',
      enum: ['ES256', 'RS256', 'EdDSA'],
      default: 'ES256',
    },
    rsaBits: { type: 'integer', description: 'Bits of new keys for RS256.', minimum: 2048, maximum: 4096, default: 2048 },
    keyRotationSeconds: {
      type: 'integer',
      description: 'Age in seconds at which the key that signs gets a successor.',
      minimum: 600,
      maximum: 31_622_400,
      default: 2_592_000,
    },
  },
} as const;
