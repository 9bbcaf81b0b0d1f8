/** What settings that bound how often something may come have in common, as a type that can be written down. */
export interface RateSchema {
  readonly type: 'string';
  readonly description: string;
  readonly pattern: string;
  readonly 'x-allowed': string;
}

/** The same with a bound that holds where nothing is set. */
export interface RateSchemaWithDefault extends RateSchema {
  readonly default: string;
}

export const rate = {
  type: 'string',
  pattern: '^[1-9][0-9]{0,8}/[1-9][0-9]{0,4}[smhd](,[1-9][0-9]{0,8}/[1-9][0-9]{0,4}[smhd]){0,3}$',
  'x-allowed': 'a rate as 20/1s, or up to four as 20/1s,600/1m',
} as const;
