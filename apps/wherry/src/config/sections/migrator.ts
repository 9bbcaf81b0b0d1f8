/** The migrator. */
export interface MigratorSection {
  /** 0: any free one. */
  readonly port: number;
  readonly host: string;
  /** Sessions copied or compared a second by this process, at most; 0: its share of the operator's rate. The lower of both counts. */
  readonly rate: number;
  /** Sessions read and written at a time, where the operator has said nothing. */
  readonly batchSize: number;
  /** The longest answer of the source to a small question, ms, at which the work goes at full speed; 0: any. */
  readonly sourceLatencyMs: number;
  /** The same of the slowest shard. */
  readonly targetLatencyMs: number;
  /** How far a replica of a shard may be behind, ms; 0: it is not looked at. */
  readonly replicaLagMs: number;
  /** How writes to the source that do not pass through us are seen. */
  readonly capture: 'off' | 'replication' | 'notifications';
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
        "Sessions copied or compared a second by this process, at most, also where its share of the operator's rate is higher; 0: only that one counts.",
      minimum: 0,
      maximum: 10_000_000,
      default: 0,
    },
    batchSize: {
      type: 'integer',
      description: 'Sessions read and written at a time, where the operator has said nothing.',
      minimum: 1,
      maximum: 5000,
      default: 2000,
    },
    sourceLatencyMs: {
      type: 'integer',
      description: 'The longest answer of the source to a small question, ms, at which the work goes at full speed; 0: any.',
      minimum: 0,
      maximum: 60_000,
      default: 250,
    },
    targetLatencyMs: { type: 'integer', description: 'The same of the slowest shard.', minimum: 0, maximum: 60_000, default: 250 },
    replicaLagMs: {
      type: 'integer',
      description: 'How far a replica of a shard may be behind, ms, at full speed; 0: it is not looked at.',
      minimum: 0,
      maximum: 3_600_000,
      default: 0,
    },
    capture: {
      type: 'string',
      description:
        "How writes to the source that do not pass through us are seen: by Redis' replication stream, or by its keyspace notifications, which can miss some. Kept on from the first run with captured writers until the last slot is at the target.",
      enum: ['off', 'replication', 'notifications'] as const,
      default: 'off',
    },
  },
} as const;
