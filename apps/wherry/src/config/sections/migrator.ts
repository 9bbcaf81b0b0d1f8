/** The migrator. */
export interface MigratorSection {
  /** 0: any free one. */
  readonly port: number;
  readonly host: string;
  /** Sessions copied or compared a second, at most; 0: as the operator's rate says. The lower of both counts. */
  readonly rate: number;
  /** Sessions read and written at a time. */
  readonly batchSize: number;
}

export const migratorSchema = {
  type: 'object',
  description: 'The migrator.',
  additionalProperties: false,
  default: {},
  properties: {
    port: { type: 'integer', description: 'Port; 0: any free one.', minimum: 0, maximum: 65_535, default: 8082 },
    host: {
      type: 'string',
      description: 'Address to listen on.',
      pattern: '^[A-Za-z0-9.:_-]{1,253}$',
      'x-allowed': 'a host name or an IP address',
      default: '127.0.0.1',
    },
    rate: {
      type: 'integer',
      description:
        "Sessions copied or compared a second, at most, also where the operator's rate is higher or unlimited; 0: only that one counts.",
      minimum: 0,
      maximum: 10_000_000,
      default: 0,
    },
    batchSize: { type: 'integer', description: 'Sessions read and written at a time.', minimum: 1, maximum: 5000, default: 1000 },
  },
} as const;
