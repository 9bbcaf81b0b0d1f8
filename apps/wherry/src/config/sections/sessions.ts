/** How long sessions live that are born here. */
export interface SessionsSection {
  /** Without a request. */
  readonly idleSeconds: number;
  /** In all. */
  readonly absoluteSeconds: number;
}

export const sessionsSchema = {
  type: 'object',
  description: 'How long sessions live. Those carried over keep the idle time of their application.',
  additionalProperties: false,
  default: {},
  properties: {
    idleSeconds: { type: 'integer', description: 'Life without a request, in seconds.', minimum: 10, maximum: 31_536_000, default: 1800 },
    absoluteSeconds: { type: 'integer', description: 'Life in all, in seconds.', minimum: 10, maximum: 315_360_000, default: 604_800 },
  },
} as const;
