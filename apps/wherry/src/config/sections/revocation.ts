/** How revocations are told beside the control database. The address of the Redis is a secret: `WHERRY_REVOCATION_STREAM_URL`. */
export interface RevocationSection {
  /** The key of the stream. */
  readonly streamKey: string;
}

export const revocationSchema = {
  type: 'object',
  description: 'A Redis stream of revocations beside the control database, where WHERRY_REVOCATION_STREAM_URL names a Redis.',
  additionalProperties: false,
  default: {},
  properties: {
    streamKey: {
      type: 'string',
      description: 'The key of the stream, the same for all instances.',
      minLength: 1,
      maxLength: 200,
      default: 'wherry:revocations',
    },
  },
} as const;
