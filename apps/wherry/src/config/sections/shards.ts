import { SHARD_NAME, SHARD_NAME_RULE } from '@wherry/shards';

/** The databases that hold the sessions. Their addresses are secrets. */
export interface ShardsSection {
  /** In an order that never changes: a slot's owner is a place in this list. New shards go to its end. */
  readonly list: readonly { readonly name: string }[];
  /** Most connections of one process to each of them. */
  readonly poolSize: number;
}

export const shardsSchema = {
  type: 'object',
  description:
    'The databases that hold the sessions. Their addresses are secrets: WHERRY_SHARDS_<NAME>_URL for each, or WHERRY_SHARDS_URLS with commas between.',
  additionalProperties: false,
  default: {},
  properties: {
    list: {
      type: 'array',
      description:
        'In an order that never changes: a slot belongs to a place in this list. New shards go to its end. With WHERRY_SHARDS_URLS alone they are named shard0, shard1, …',
      maxItems: 1024,
      default: [],
      'x-short': 'name',
      items: {
        type: 'object',
        description: 'One database.',
        additionalProperties: false,
        required: ['name'],
        properties: {
          name: {
            type: 'string',
            description: 'Its name in metrics, logs and the environment.',
            pattern: SHARD_NAME as string,
            'x-allowed': SHARD_NAME_RULE as string,
          },
        },
      },
    },
    poolSize: { type: 'integer', description: 'Most connections of one process to each shard.', minimum: 1, maximum: 200, default: 8 },
  },
} as const;
