/** What is logged. */
export interface LogSection {
  readonly level: 'debug' | 'info' | 'warn' | 'error' | 'silent';
}

export const logSchema = {
  type: 'object',
  description: 'What is logged, as JSON lines on the standard output.',
  additionalProperties: false,
  default: {},
  properties: {
    level: {
      type: 'string',
      description: 'The least level that is written.',
      enum: ['debug', 'info', 'warn', 'error', 'silent'],
      default: 'info',
    },
  },
} as const;
