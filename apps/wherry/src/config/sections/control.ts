/** The control database. Its address is a secret: `WHERRY_CONTROL_URL`. */
export interface ControlSection {
  /** Most connections of one process. */
  readonly poolSize: number;
}

export const controlSchema = {
  type: 'object',
  description: 'The control database. Its address is a secret: WHERRY_CONTROL_URL or WHERRY_CONTROL_URL_FILE.',
  additionalProperties: false,
  default: {},
  properties: {
    poolSize: { type: 'integer', description: 'Most connections of one process.', minimum: 2, maximum: 200, default: 8 },
  },
} as const;
